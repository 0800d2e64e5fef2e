//! What a run amounts to. It does not choose exit codes: `app` maps a [`Verdict`] to one.

use serde::{Deserialize, Serialize};

/// The one answer of a run, worst first when several apply: interrupted, failed, invalid, broken, passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every SLO was met and the measurement is sound.
    Passed,
    /// At least one SLO was not met, and the measurement is sound.
    SloBroken,
    /// The measurement cannot be trusted; [`super::Summary::invalid`] says which limit was met.
    Invalid,
    /// The target refused a login.
    LoginRefused,
    /// The target could not be reached, or did not get every user ready in time.
    TargetUnreachable,
    /// The operator ended the run; the result is partial.
    Interrupted,
}

/// Why a run could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "what")]
pub enum Failure {
    /// A login was refused: the condition and the first user concerned.
    LoginRefused(String),
    /// No connection, or not everybody was ready in time: the first error.
    TargetUnreachable(String),
}

/// Why a measurement is invalid: the limit that was met, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// Short name of the limit: `achieved_ratio`, `slo`, `busy`, `steal`, `mail`, `descriptors`, `ports`, `roster`.
    pub limit: String,
    /// One line with the numbers.
    pub what: String,
}

/// How one SLO came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SloState {
    /// Met.
    Passed,
    /// Not met.
    Broken,
    /// Neither: the harness limited what it is about, or there were too few samples.
    Invalid,
}

/// One SLO and what was measured against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloResult {
    /// Phase it is about; all measured phases without.
    pub phase: Option<String>,
    /// `presence.fanout_complete.p99`
    pub metric: String,
    /// `max 50ms` or `min 0.99`
    pub bound: String,
    /// What was measured, in the bound's unit: `12.3ms`, `≥10s`, `0`; `-` when there is no value.
    pub measured: String,
    /// How it came out.
    pub state: SloState,
    /// Why it is invalid; empty otherwise.
    pub why: String,
}

/// What the driver knows of the harness itself: of one reactor, or the worst of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HarnessHealth {
    /// Share of the elapsed time that the reactor was not waiting, 0 to 1.
    pub busy_ratio: f64,
    /// Share of one core that its thread used, 0 to 1.
    pub cpu_ratio: f64,
}

/// The harness in one phase, drain not included. Of several reactors, the worst of each number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseHealth {
    /// The phase.
    pub phase: String,
    /// How long it was looked at, in nanoseconds.
    pub elapsed_ns: u64,
    /// Share of that time that a reactor was not waiting for events, 0 to 1.
    pub busy_ratio: f64,
    /// Share of one core that a reactor's thread used, 0 to 1.
    pub cpu_ratio: f64,
    /// Share of that time that a reactor's thread could have run and waited for a core, 0 to 1.
    pub wait_ratio: f64,
    /// Share of the machine's CPU time that its host gave to others, 0 to 1.
    pub stolen_ratio: f64,
    /// The same in nanoseconds, all cores together.
    pub stolen_ns: u64,
}
