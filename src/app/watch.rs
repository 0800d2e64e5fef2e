//! What is seen of a run while it lasts: last-second rates and percentiles, the harness, the target, the SLOs.
//!
//! It shows nothing ([`super::progress`] does) and the run never waits for it: it reads the [`Monitor`](crate::load::Monitor)
//! and `/proc` from the thread that waits anyway. What came in the last second is the difference of two snapshots.

use std::collections::VecDeque;

use super::cost::{Cost, CostMeter};
use super::dashboard::board::{Board, Harness, Latencies, Row, Server};
use super::vitals::Vitals;
use crate::load::Snapshot;
use crate::metrics::{ActionProgress, Light, PhaseHealth, Slo, Summary};
use crate::time::Nanos;

/// What is called the last second is at least as long.
const SECOND_NS: u64 = 1_000_000_000;
/// Seconds that the sparklines remember.
const HISTORY_MAX: usize = 240;

/// Follows a run.
#[derive(Debug)]
pub struct Watch {
    scenario: String,
    slos: Vec<Slo>,
    descriptors_max: u64,
    harness: CostMeter,
    /// The target's processes, with their name.
    server: Option<(String, CostMeter)>,
    /// Snapshots of the running phase: the youngest that is a second old, and all that are younger.
    recent: VecDeque<Snapshot>,
    /// CPU time of the target, as long.
    server_cpu: VecDeque<(Nanos, u64)>,
    /// Each phase as it was last seen: name, measured, actions.
    phases: Vec<(String, bool, Vec<ActionProgress>)>,
    p99_history: VecDeque<u64>,
    rate_history: VecDeque<u64>,
    /// When the histories are next added to, in the running phase.
    history_at_ns: u64,
}

/// What it came to.
#[derive(Debug, Default)]
pub struct Watched {
    /// The harness, by measured phase.
    pub health: Vec<PhaseHealth>,
    /// What the harness cost.
    pub harness: Cost,
    /// What the target cost, and the name of its process.
    pub server: Option<(String, Cost)>,
}

impl Watched {
    /// Shares the costs out over what `summary` says was delivered.
    pub fn divide(&mut self, summary: &Summary) {
        self.harness.divide(summary);
        if let Some((_, cost)) = &mut self.server {
            cost.divide(summary);
        }
    }
}

impl Watch {
    /// Follows a run of the scenario named `scenario` from before its first login; `server` are the target's processes.
    #[must_use]
    pub fn new(
        scenario: &str,
        slos: Vec<Slo>,
        descriptors_max: u64,
        server: Option<(String, Vec<u32>)>,
    ) -> Self {
        Self {
            scenario: scenario.to_owned(),
            slos,
            descriptors_max,
            harness: CostMeter::new(vec![std::process::id()]),
            server: server.map(|(name, pids)| (name, CostMeter::new(pids))),
            recent: VecDeque::new(),
            server_cpu: VecDeque::new(),
            phases: Vec::new(),
            p99_history: VecDeque::new(),
            rate_history: VecDeque::new(),
            history_at_ns: SECOND_NS,
        }
    }

    /// Looks now, and says what is to be shown.
    pub fn observe(&mut self, snapshot: Snapshot, vitals: &Vitals, now: Nanos) -> Board {
        self.harness.observe(&snapshot, now);
        if let Some((_, meter)) = &mut self.server {
            meter.observe(&snapshot, now);
        }
        self.remember(snapshot);
        let mut board = self.board();
        board.harness.health = vitals.now();
        board.harness.descriptors = Vitals::descriptors(self.descriptors_max);
        board.harness.rss_bytes = self.harness.latest().map_or(0, |usage| usage.rss_bytes);
        board.server = self.server_now(now);
        board
    }

    /// The end.
    #[must_use]
    pub fn finish(self, vitals: Vitals) -> Watched {
        Watched {
            health: vitals.finish(),
            harness: self.harness.finish(),
            server: self.server.map(|(name, meter)| (name, meter.finish())),
        }
    }

    fn remember(&mut self, snapshot: Snapshot) {
        if self.recent.back().is_some_and(|last| last.phase != snapshot.phase) {
            self.recent.clear();
            self.history_at_ns = SECOND_NS;
        }
        let mut actions = snapshot.actions.clone();
        actions.extend(snapshot.login.clone());
        match self.phases.iter_mut().find(|(phase, ..)| *phase == snapshot.phase) {
            Some((_, _, latest)) => *latest = actions,
            // What is still told of the last phase behind its end is known already.
            None if snapshot.phase == "logout" => {}
            None => self.phases.push((snapshot.phase.clone(), snapshot.measured, actions)),
        }
        let is_old = |second: &Snapshot| snapshot.elapsed_ns.saturating_sub(second.elapsed_ns) >= SECOND_NS;
        while self.recent.get(1).is_some_and(is_old) {
            self.recent.pop_front();
        }
        // The reactors may have written nothing new.
        if self.recent.back().is_none_or(|last| *last != snapshot) {
            self.recent.push_back(snapshot);
        }
    }

    fn board(&mut self) -> Board {
        let Some(last) = self.recent.back() else { return Board::default() };
        let beginning = Snapshot::default();
        // A phase younger than a second is compared with its beginning.
        let first =
            self.recent.front().filter(|first| first.elapsed_ns < last.elapsed_ns).unwrap_or(&beginning);
        let seconds = (last.elapsed_ns - first.elapsed_ns).max(1) as f64 / SECOND_NS as f64;
        let none = ActionProgress::default();
        let mut rows = Vec::new();
        let mut harness = Harness::default();
        for (place, action) in last.actions.iter().chain(&last.login).enumerate() {
            let before = first.actions.iter().chain(&first.login).nth(place).unwrap_or(&none);
            rows.extend(rows_of(action, before, seconds));
            let lag = Latencies::of(&action.send_lag.since(&before.send_lag)).p99_or_max();
            harness.send_lag_p99_ns = harness.send_lag_p99_ns.max(lag);
            if let Some(ratio) = sent_ratio(action) {
                harness.sent_ratio = Some(harness.sent_ratio.map_or(ratio, |worst| worst.min(ratio)));
            }
        }
        let logins_per_second = last.logins.saturating_sub(first.logins) as f64 / seconds;
        let sent =
            |snapshot: &Snapshot| snapshot.actions.iter().map(|action| action.counts.sent).sum::<u64>();
        let rate = match last.login {
            Some(_) => logins_per_second,
            None => (sent(last).saturating_sub(sent(first))) as f64 / seconds,
        };
        let p99 = rows.iter().filter_map(|row| row.second.p99_or_max()).max().unwrap_or(0);
        if last.elapsed_ns >= self.history_at_ns && !last.draining && !rows.is_empty() {
            self.history_at_ns = last.elapsed_ns - last.elapsed_ns % SECOND_NS + SECOND_NS;
            push(&mut self.p99_history, p99);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rates are not negative"
            )]
            push(&mut self.rate_history, rate.round() as u64);
        }
        Board {
            scenario: self.scenario.clone(),
            phase: last.phase.clone(),
            set_up: last.set_up,
            draining: last.draining,
            elapsed_ns: last.elapsed_ns,
            planned_ns: last.planned_ns,
            connected: last.users_connected,
            ready: last.users_ready,
            target: last.users_target,
            logins_per_second: if last.login.is_some() { logins_per_second } else { 0.0 },
            login_failures: last.login_failures,
            rows,
            counts: last.counts,
            first_error: last.first_error.clone(),
            p99_history: self.p99_history.iter().copied().collect(),
            rate_history: self.rate_history.iter().copied().collect(),
            harness,
            server: None,
            lights: self.slos.iter().map(|slo| (name_of(slo), self.light(slo))).collect(),
        }
    }

    fn light(&self, slo: &Slo) -> Light {
        let is_about = |(phase, measured, _): &&(String, bool, Vec<ActionProgress>)| match &slo.phase {
            Some(name) => name == phase,
            None => *measured,
        };
        let actions: Vec<_> = self.phases.iter().filter(is_about).flat_map(|(.., actions)| actions).collect();
        slo.light(&actions)
    }

    fn server_now(&mut self, now: Nanos) -> Option<Server> {
        let (name, meter) = self.server.as_ref()?;
        let usage = meter.latest()?;
        let is_old = |(at, _): &(Nanos, u64)| now.since(*at) >= SECOND_NS;
        while self.server_cpu.get(1).is_some_and(is_old) {
            self.server_cpu.pop_front();
        }
        self.server_cpu.push_back((now, usage.cpu_ns));
        let (since, before) = self.server_cpu.front().copied()?;
        let cpu_ratio = usage.cpu_ns.saturating_sub(before) as f64 / now.since(since).max(1) as f64;
        Some(Server { name: name.clone(), cpu_ratio, rss_bytes: usage.rss_bytes })
    }
}

fn push(history: &mut VecDeque<u64>, value: u64) {
    if history.len() >= HISTORY_MAX {
        history.pop_front();
    }
    history.push_back(value);
}

fn name_of(slo: &Slo) -> String {
    match &slo.phase {
        Some(phase) => format!("{phase} {} {}", slo.metric.name(), slo.bound),
        None => format!("{} {}", slo.metric.name(), slo.bound),
    }
}

/// An action, and its audience if it has one.
fn rows_of(action: &ActionProgress, before: &ActionProgress, seconds: f64) -> Vec<Row> {
    let per_second = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
    let (counts, earlier) = (&action.counts, &before.counts);
    let is_login = action.action == "login";
    let sent =
        if is_login { per_second(counts.done, earlier.done) } else { per_second(counts.sent, earlier.sent) };
    let mut rows = vec![Row {
        name: action.action.to_owned(),
        intended_rate: action.rate,
        achieved_rate: sent,
        second: Latencies::of(&action.response.since(&before.response)),
        phase: Latencies::of(&action.response),
        errors: counts.failed + counts.timed_out + counts.unsent,
    }];
    if action.fan_out {
        rows.push(Row {
            name: format!("{} each", action.action),
            intended_rate: per_second(counts.required, earlier.required),
            achieved_rate: per_second(counts.delivered, earlier.delivered),
            second: Latencies::of(&action.each.since(&before.each)),
            phase: Latencies::of(&action.each),
            errors: counts.missing + counts.unexpected,
        });
    }
    rows
}

/// Share of what was intended so far that was sent; nothing of the first moments.
fn sent_ratio(action: &ActionProgress) -> Option<f64> {
    let counts = &action.counts;
    (counts.intended >= 200).then(|| counts.sent_in_time as f64 / counts.intended as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Bound, Counts, Metric, Recorder};

    fn watch() -> Watch {
        let slo = Slo {
            phase: Some("steady".into()),
            metric: Metric::parse("chat.response.max").unwrap(),
            bound: Bound::MaxNs(5_000_000),
        };
        Watch::new("test", vec![slo], 100, Some(("gone".into(), vec![u32::MAX])))
    }

    fn look(watch: &mut Watch, snapshot: Snapshot, now: u64) -> Board {
        watch.observe(snapshot, &Vitals::new(Vec::new()), Nanos(now))
    }

    /// A phase with `per_second` messages a second, one in ten as slow as the second of its phase is old, and ten copies of
    /// each presence.
    fn snapshot(phase: &str, elapsed_ms: u64, per_second: u64) -> Snapshot {
        let done = per_second * elapsed_ms / 1_000;
        let mut recorder = Recorder::default();
        for n in 0..done {
            let ms = if n % 10 == 0 { n / per_second + 1 } else { 1 };
            recorder.record(ms * 1_000_000);
        }
        let counts = Counts {
            intended: done,
            sent: done,
            sent_in_time: done,
            done,
            required: 10 * done,
            delivered: 10 * done,
            ..Counts::default()
        };
        let chat = ActionProgress {
            action: "chat",
            rate: per_second as f64,
            counts,
            response: recorder.buckets(),
            ..ActionProgress::default()
        };
        let presence = ActionProgress { action: "presence", fan_out: true, ..chat.clone() };
        Snapshot {
            phase: phase.into(),
            measured: true,
            elapsed_ns: elapsed_ms * 1_000_000,
            planned_ns: 10_000_000_000,
            actions: vec![chat, presence],
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_last_second_is_told_from_the_phase() {
        let mut watch = watch();
        let mut board = Board::default();
        for quarter in 1..=24 {
            let now = Nanos(quarter * 250_000_000);
            board = look(&mut watch, snapshot("steady", quarter * 250, 1_000), now.0);
        }
        let row = &board.rows[0];
        assert_eq!((row.name.as_str(), row.intended_rate, row.achieved_rate), ("chat", 1_000.0, 1_000.0));
        let ms = |latencies: Latencies| latencies.0.map(|ns| ns.map(|ns| (ns + 1_000) / 1_000_000));
        // 900 fast and 100 slow ones in the last second; in the phase, 100 of each slowness.
        assert_eq!(ms(row.second), [Some(1), Some(1), Some(6), Some(6), Some(6)]);
        assert_eq!(ms(row.phase), [Some(1), Some(1), Some(6), Some(6), Some(6)]);
        assert_eq!((board.rows[2].name.as_str(), board.rows[2].achieved_rate), ("presence each", 10_000.0));
        assert_eq!(board.rate_history, [2_000; 6]);
        let history: Vec<u64> = board.p99_history.iter().map(|ns| (ns + 1_000) / 1_000_000).collect();
        assert_eq!(history, [1, 2, 3, 4, 5, 6], "each second has its own");
        assert_eq!(board.lights, [("steady chat.response.max max 5ms".to_owned(), Light::Red)]);
        assert_eq!(board.server, None, "a process that is gone costs nothing");

        // The next phase has nothing of this one, and the light stays.
        board = look(&mut watch, snapshot("next", 500, 100), 6_500_000_000);
        assert_eq!(
            (board.rows[0].achieved_rate, board.rows[0].second.0[4]),
            (100.0, board.rows[0].phase.0[4])
        );
        assert_eq!(board.lights[0].1, Light::Red);
        board = look(&mut watch, snapshot("logout", 500, 100), 7_000_000_000);
        assert_eq!(board.lights[0].1, Light::Red);
    }

    #[test]
    fn what_was_not_sent_in_time_is_seen() {
        let mut watch = watch();
        let mut late = snapshot("steady", 1_000, 1_000);
        late.actions[0].counts.sent_in_time = 900;
        let board = look(&mut watch, late, 1);
        assert_eq!((board.harness.sent_ratio, board.harness.limit()), (Some(0.9), Some("rate missed")));
        let board = look(&mut watch, snapshot("steady", 150, 1_000), 2);
        assert_eq!(board.harness.sent_ratio, None, "150 are too few to tell");
    }

    #[test]
    fn logins_have_a_row() {
        let mut watch = watch();
        let mut recorder = Recorder::default();
        (0..50).for_each(|_| recorder.record(3_000_000));
        let login = ActionProgress {
            action: "login",
            counts: Counts { done: 50, failed: 1, ..Counts::default() },
            response: recorder.buckets(),
            ..ActionProgress::default()
        };
        let snapshot = Snapshot {
            phase: "login".into(),
            elapsed_ns: 500_000_000,
            users_ready: 50,
            logins: 50,
            login: Some(login),
            ..Snapshot::default()
        };
        let board = look(&mut watch, snapshot, 1);
        assert_eq!((board.rows.len(), board.rows[0].name.as_str(), board.rows[0].errors), (1, "login", 1));
        assert_eq!((board.logins_per_second, board.rows[0].achieved_rate), (100.0, 100.0));
    }
}
