//! What one half of a run costs, the target's processes or this one: CPU in each measured phase, memory around the login.
//!
//! It looks about four times a second at the [`Snapshot`] and at `/proc`, from the thread that waits anyway: the run
//! never notices. A phase's edges are therefore known to a quarter of a second.

use super::process::Usage;
use super::result::{LoginMemory, PhaseCost};
use crate::load::Snapshot;
use crate::metrics::{ActionSummary, PhaseSummary, Summary};
use crate::time::Nanos;

/// Follows processes through the phases of a run.
#[derive(Debug)]
pub struct CostMeter {
    pids: Vec<u32>,
    /// Resident memory, in bytes, and users that were ready: when nobody had logged in, and at the first look behind that.
    before_login: (u64, u64),
    first_login: Option<(u64, u64)>,
    memory: Option<LoginMemory>,
    running: Option<Running>,
    done: Vec<PhaseCost>,
    latest: Option<Usage>,
    rss_peak_bytes: u64,
}

#[derive(Debug)]
struct Running {
    phase: String,
    since: Nanos,
    before: Usage,
    latest: Usage,
    latest_at: Nanos,
}

/// What was spent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cost {
    /// By measured phase.
    pub phases: Vec<PhaseCost>,
    /// Around the login, if anybody logged in.
    pub memory: Option<LoginMemory>,
    /// The most memory that was seen, in bytes.
    pub rss_peak_bytes: u64,
}

impl CostMeter {
    /// Follows `pids`, together, from now on: before anybody logs in.
    #[must_use]
    pub fn new(pids: Vec<u32>) -> Self {
        let latest = Usage::of_all(&pids);
        let before_login = (latest.map_or(0, |usage| usage.rss_bytes), 0);
        Self {
            pids,
            before_login,
            first_login: None,
            memory: None,
            running: None,
            done: Vec::new(),
            latest,
            rss_peak_bytes: 0,
        }
    }

    /// Looks at the processes now.
    pub fn observe(&mut self, snapshot: &Snapshot, now: Nanos) {
        self.latest = Usage::of_all(&self.pids);
        if let Some(usage) = self.latest {
            self.observe_usage(snapshot, usage, now);
        }
    }

    /// What was used when it last looked; `None` when the processes were gone.
    #[must_use]
    pub const fn latest(&self) -> Option<Usage> {
        self.latest
    }

    fn observe_usage(&mut self, snapshot: &Snapshot, usage: Usage, now: Nanos) {
        self.rss_peak_bytes = self.rss_peak_bytes.max(usage.rss_peak_bytes);
        self.observe_memory(snapshot, usage.rss_bytes);
        if let Some(running) = &mut self.running {
            running.latest = usage;
            running.latest_at = now;
            if running.phase == snapshot.phase {
                return;
            }
        }
        self.end_phase();
        if snapshot.measured {
            let phase = snapshot.phase.clone();
            self.running = Some(Running { phase, since: now, before: usage, latest: usage, latest_at: now });
        }
    }

    /// A client more is seen best while clients become more: what a side needs in any case is there by then. When all came
    /// at once, what was used before them has to do.
    fn observe_memory(&mut self, snapshot: &Snapshot, after_bytes: u64) {
        let ready = snapshot.users_ready;
        if snapshot.login.is_none() {
            if self.first_login.is_none() && ready == 0 {
                self.before_login = (after_bytes, 0);
            }
            return;
        }
        let first = *self.first_login.get_or_insert((after_bytes, ready));
        let (before_bytes, there) = if first.1 * 2 <= ready { first } else { self.before_login };
        if ready > there {
            self.memory = Some(LoginMemory { before_bytes, after_bytes, users: ready - there });
        }
    }

    fn end_phase(&mut self) {
        if let Some(Running { phase, since, before, latest, latest_at }) = self.running.take() {
            self.done.push(PhaseCost {
                phase,
                elapsed_ns: latest_at.since(since),
                cpu_ns: latest.cpu_ns.saturating_sub(before.cpu_ns),
                rss_bytes: latest.rss_bytes,
                ..PhaseCost::default()
            });
        }
    }

    /// Everything together.
    #[must_use]
    pub fn finish(mut self) -> Cost {
        self.end_phase();
        Cost { phases: self.done, memory: self.memory, rss_peak_bytes: self.rss_peak_bytes }
    }
}

impl Cost {
    /// Divides the CPU time of each phase by what `summary` says was delivered in it, or who logged in.
    pub fn divide(&mut self, summary: &Summary) {
        for cost in &mut self.phases {
            let Some(phase) = summary.phases.iter().find(|phase| phase.name == cost.phase) else { continue };
            let logins = if phase.actions.is_empty() { summary.login.ready } else { 0 };
            cost.cpu_ns_per_login = cost.cpu_ns.checked_div(logins);
            cost.cpu_ns_per_delivery = cost.cpu_ns.checked_div(deliveries(phase));
        }
    }
}

/// Stanzas that reached somebody: messages, presence at each recipient, answers; second ones, too.
fn deliveries(phase: &PhaseSummary) -> u64 {
    let of = |action: &ActionSummary| {
        let counts = &action.counts;
        let first = match counts.required {
            0 => counts.done + counts.failed,
            _ => counts.delivered + counts.optional,
        };
        first + counts.duplicated + counts.unexpected + counts.late
    };
    phase.actions.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ActionProgress, Counts};

    fn snapshot(phase: &str, users_ready: u64) -> Snapshot {
        Snapshot {
            phase: phase.into(),
            measured: ["login", "steady", "last"].contains(&phase),
            login: (phase == "login").then(ActionProgress::default),
            users_ready,
            ..Snapshot::default()
        }
    }

    #[test]
    fn only_measured_phases_have_a_cost() {
        let mut meter = CostMeter::new(Vec::new());
        let steps = [
            ("", 0),
            ("set-up", 5),
            ("steady", 10),
            ("steady", 17),
            ("cool", 18),
            ("last", 30),
            ("last", 33),
        ];
        for (second, (phase, cpu)) in (0..).zip(steps) {
            let usage = Usage { cpu_ns: cpu, rss_bytes: 100 + cpu, rss_peak_bytes: 200 + cpu };
            meter.observe_usage(&snapshot(phase, 0), usage, Nanos(second * 1_000));
        }
        let cost = meter.finish();
        let of = |phase: &str, elapsed_ns, cpu_ns, rss_bytes| PhaseCost {
            phase: phase.into(),
            elapsed_ns,
            cpu_ns,
            rss_bytes,
            ..PhaseCost::default()
        };
        assert_eq!(cost.phases, [of("steady", 2_000, 8, 118), of("last", 1_000, 3, 133)]);
        assert_eq!((cost.rss_peak_bytes, cost.memory), (233, None));
    }

    fn memory(steps: &[(&str, u64, u64)]) -> Option<LoginMemory> {
        let mut meter = CostMeter::new(Vec::new());
        for (second, (phase, ready, rss_bytes)) in (0..).zip(steps) {
            let usage = Usage { cpu_ns: 0, rss_bytes: *rss_bytes, rss_peak_bytes: *rss_bytes };
            meter.observe_usage(&snapshot(phase, *ready), usage, Nanos(second));
        }
        meter.finish().memory
    }

    #[test]
    fn a_client_costs_what_its_login_added() {
        // Set-up makes accounts; behind the login the load makes buffers.
        let slow = [
            ("", 0, 1_000),
            ("set-up", 0, 5_000),
            ("login", 2, 5_600),
            ("login", 7, 6_100),
            ("login", 10, 6_400),
            ("steady", 10, 9_000),
        ];
        let added = memory(&slow).unwrap();
        assert_eq!(added, LoginMemory { before_bytes: 5_600, after_bytes: 6_400, users: 8 });
        assert_eq!(added.bytes_per_user(), 100);
        let at_once = [slow[1], slow[4], slow[5]];
        let added = memory(&at_once).unwrap();
        assert_eq!(added, LoginMemory { before_bytes: 5_000, after_bytes: 6_400, users: 10 });
        assert_eq!(memory(&[slow[1], ("login", 0, 6_000), slow[5]]), None);
        assert_eq!(LoginMemory { users: 0, ..added }.bytes_per_user(), 0);
    }

    #[test]
    fn cost_is_shared_by_what_was_delivered() {
        let action = |counts| ActionSummary {
            action: "a".into(),
            model: "open".into(),
            rate_intended: 1.0,
            rate_achieved: 1.0,
            achieved_ratio: 1.0,
            counts,
            latencies: [].into(),
            seconds: Vec::new(),
        };
        let phase = |name: &str, actions| PhaseSummary {
            name: name.into(),
            measured: true,
            planned_ns: 1,
            elapsed_ns: 1,
            drain_ns: 0,
            complete: true,
            actions,
            reconnect: None,
            lost_connections: 0,
        };
        let chat = Counts { done: 98, failed: 1, lost: 5, duplicated: 1, ..Counts::default() };
        let presence = Counts { done: 10, required: 110, delivered: 95, optional: 5, ..Counts::default() };
        let mut summary = Summary {
            phases: vec![phase("login", vec![]), phase("steady", vec![action(chat), action(presence)])],
            ..Summary::default()
        };
        summary.login.ready = 20;
        let spent = |phase: &str| PhaseCost { phase: phase.into(), cpu_ns: 20_000, ..PhaseCost::default() };
        let mut cost = Cost { phases: ["login", "steady", "gone"].map(spent).into(), ..Cost::default() };
        cost.divide(&summary);
        let per = |at: usize| (cost.phases[at].cpu_ns_per_login, cost.phases[at].cpu_ns_per_delivery);
        assert_eq!([per(0), per(1), per(2)], [(Some(1_000), None), (None, Some(100)), (None, None)]);
    }
}
