//! Connections that a phase breaks, and how their users come back.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Faults, Fields, Words};
use super::phases::phase_duration;
use super::{ActionSpec, Break, How, Reconnect};

const BREAK: Words =
    Words { known: &["share", "how", "at", "reconnect"], later: &["class", "over", "every"] };
const HOW: Words =
    Words { known: &["tcp-reset", "tcp-close", "stream-close"], later: &["silent", "server-restart"] };
const HOWS: [How; 3] = [How::TcpReset, How::TcpClose, How::StreamClose];
const RECONNECT: Words = Words { known: &["backoff", "jitter", "at_once"], later: &["resume", "rate"] };
const JITTER: Words = Words { known: &["full", "none"], later: &["equal", "decorrelated"] };

/// How a user comes back when the scenario does not say.
const RECONNECT_DEFAULT: Reconnect = Reconnect {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
    jitter: true,
    at_once: false,
};

/// The `break` of a load phase of that duration and with these actions.
pub(super) fn breaks(
    phase: &Fields<'_>,
    duration: Duration,
    actions: &[ActionSpec],
    faults: &mut Faults<'_>,
) -> Option<Break> {
    let fields = Fields::open(phase.get("break")?, "`break`", BREAK, faults)?;
    fields.require("share", "0.8", faults);
    fields.require("how", "\"tcp-reset\"", faults);
    let share = fields.number("share", "", faults);
    if share.is_some_and(|share| share == 0.0 || share > 1.0) {
        faults.add(fields.value_span("share"), "`share` is above 0 and at most 1", None);
    }
    if share == Some(1.0) && actions.iter().any(|action| action.rate.is_some()) {
        let help = Some("a share below 1, or a phase without `do`".to_owned());
        faults.add(fields.value_span("share"), "nobody would be left to carry out `do`", help);
    }
    let at = fields.parsed("at", faults, phase_duration).unwrap_or_default();
    if at >= duration {
        faults.add(fields.value_span("at"), "the phase is over by then", None);
    }
    let how = fields.word("how", HOW, &HOWS, faults);
    let back = match fields.get("reconnect") {
        Some(value) => reconnect(value, faults)?,
        None => RECONNECT_DEFAULT,
    };
    Some(Break { share: share?, how: how?, at, reconnect: back })
}

fn reconnect<'t>(value: &'t Spanned<DeValue<'t>>, faults: &mut Faults<'_>) -> Option<Reconnect> {
    let fields = Fields::open(value, "`reconnect`", RECONNECT, faults)?;
    let default = RECONNECT_DEFAULT;
    let (first, longest) =
        fields.parsed("backoff", faults, backoff).unwrap_or((default.first, default.longest));
    Some(Reconnect {
        first,
        longest,
        jitter: fields.word("jitter", JITTER, &[true, false], faults).unwrap_or(default.jitter),
        at_once: fields.flag("at_once", faults).unwrap_or(default.at_once),
    })
}

/// `1s..30s`
fn backoff(text: &str) -> Result<(Duration, Duration), String> {
    let wrong = || format!("`{text}` is no range of waits; write such as \"1s..30s\"");
    let (first, longest) = text.split_once("..").ok_or_else(wrong)?;
    let (first, longest) = (phase_duration(first)?, phase_duration(longest)?);
    // Without a wait, a server that refuses would be asked again without end.
    if first.is_zero() || longest < first {
        return Err(format!("`{text}`: the first wait is above 0, and the longest is no shorter"));
    }
    Ok((first, longest))
}
