//! `xmpp-bench run --setup-only` and `--teardown`: what a scenario needs on a server, made or removed.
//!
//! No load is run and no result is written: what was done is one or two lines on stdout.

use std::collections::BTreeMap;

use super::conduct;
use super::exit::{Exit, Failure};
use super::report::numbers::{count, duration};
use super::run::Options;
use super::scenario::Loaded;
use super::target::Target;
use super::terminal::Terminal;
use crate::load::Mode;
use crate::metrics::{Failure as Reason, Summary};

/// Carries out the mode of `options`, which is not [`Mode::Run`].
///
/// # Errors
/// The target is the embedded router (2), cannot be reached or refused something (6), or the machine failed us (1).
pub fn set_up(options: &Options, loaded: &Loaded, terminal: Terminal) -> Result<Exit, Failure> {
    if loaded.target == Target::Embedded {
        let flag = if options.mode == Mode::Teardown { "--teardown" } else { "--setup-only" };
        return Err(Failure::usage(format!(
            "{flag}: the embedded router keeps nothing, its accounts and rosters end with it"
        ))
        .help("name a server with --target"));
    }
    let conducted = conduct::conduct(loaded, options, terminal)?;
    let summary = &conducted.summary;
    let mut lines =
        if options.mode == Mode::Teardown { removed(&summary.other) } else { made(&summary.other) };
    let is_whole = summary.failure.is_none() && summary.invalid.is_empty() && !summary.interrupted;
    if lines.is_empty() && is_whole {
        lines.push("nothing to do: the scenario makes neither accounts nor rosters there".to_owned());
    }
    lines.push(format!("took {}", duration(summary.elapsed_ns)));
    terminal.out(&lines.join("\n")).map_err(|error| Failure::internal(format!("cannot write: {error}")))?;
    if let Some(signal) = conducted.signal {
        terminal.warn("interrupted; the same command takes up where it stopped");
        return Ok(Exit::from_signal(signal));
    }
    complaint(loaded, summary).map_or(Ok(Exit::Passed), Err)
}

/// What kept it from being done in full.
fn complaint(loaded: &Loaded, summary: &Summary) -> Option<Failure> {
    let target = &loaded.target;
    if let Some(Reason::LoginRefused(what) | Reason::TargetUnreachable(what)) = &summary.failure {
        let help = "the same command takes up where it stopped";
        return Some(Failure::unreachable(format!("target {target}: {what}")).help(help));
    }
    if let Some(invalid) = summary.invalid.first() {
        return Some(Failure::new(Exit::Invalid, format!("target {target}: {}", invalid.what)));
    }
    let refused = summary.errors.iter().find(|error| error.what == "set-up was refused")?;
    Some(Failure::unreachable(format!("target {target}: {} times: {}", refused.count, refused.example)))
}

/// What set-up did, by the counts of a run: nothing, or a line each for accounts and rosters.
#[must_use]
pub fn made(counts: &BTreeMap<String, u64>) -> Vec<String> {
    let of = |word: &str| counts.get(word).copied().unwrap_or(0);
    let mut lines = Vec::new();
    let (new, old) = (of("registered"), of("registered_before"));
    if new + old > 0 {
        lines.push(format!("accounts: {} registered, {} were there before", count(new), count(old)));
    }
    let (made, right) = (of("rosters_made"), of("rosters_right_before"));
    if made + right > 0 {
        lines.push(format!(
            "rosters: {} made ({} subscriptions asked, {} approved), {} were right before",
            count(made),
            count(of("subscriptions_asked")),
            count(of("subscriptions_approved")),
            count(right)
        ));
    }
    lines
}

fn removed(counts: &BTreeMap<String, u64>) -> Vec<String> {
    let of = |word: &str| counts.get(word).copied().unwrap_or(0);
    let (accounts, cleared, skipped) =
        (of("accounts_removed"), of("rosters_cleared"), of("accounts_skipped"));
    let refused = of("set_up_refused") + of("contacts_not_removed");
    let mut lines = Vec::new();
    if cleared > 0 {
        lines.push(format!(
            "removed {} contacts from {} rosters",
            count(of("contacts_removed")),
            count(cleared)
        ));
    }
    if accounts > 0 {
        lines.push(format!("removed {} accounts", count(accounts)));
    }
    if skipped > 0 {
        lines
            .push(format!("skipped {} accounts that are not there or have another password", count(skipped)));
    }
    if refused > 0 {
        lines.push(format!("the server refused {}", count(refused)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(words: &[(&str, u64)]) -> BTreeMap<String, u64> {
        words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
    }

    #[test]
    fn what_was_done_is_told_in_numbers() {
        assert!(made(&counts(&[("rehearsed", 5)])).is_empty());
        let lines =
            made(&counts(&[("registered", 1_000), ("rosters_made", 990), ("rosters_right_before", 10)]));
        assert_eq!(lines[0], "accounts: 1,000 registered, 0 were there before");
        assert_eq!(lines[1], "rosters: 990 made (0 subscriptions asked, 0 approved), 10 were right before");
        assert!(removed(&counts(&[])).is_empty());
        let lines = removed(&counts(&[("accounts_skipped", 3)]));
        assert_eq!(lines, ["skipped 3 accounts that are not there or have another password"]);
        let lines =
            removed(&counts(&[("rosters_cleared", 2), ("contacts_removed", 7), ("set_up_refused", 1)]));
        assert_eq!(lines[0], "removed 7 contacts from 2 rosters");
        assert_eq!(lines[1], "the server refused 1");
    }
}
