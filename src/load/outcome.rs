//! What the shares of a run measured, put together.
//!
//! Nothing is lost or estimated: counts are added, histograms merged bucket by bucket, and each operation was written
//! down by exactly one share.

use super::setup::Mode;
use super::tally::Tally;
use super::world::LoadWorld;
use crate::metrics::{Failure, Invalid, PhaseRecord, Records, Summary};

impl LoadWorld {
    /// What it measured. Call it once the driver has returned the world.
    #[must_use]
    pub fn into_summary(self) -> Summary {
        Self::summary_of(vec![self])
    }

    /// What all shares of a run measured. Call it once the driver has returned the worlds, in their order.
    ///
    /// # Panics
    /// Without a world.
    #[must_use]
    pub fn summary_of(mut worlds: Vec<Self>) -> Summary {
        let wrong: u32 = worlds.iter().map(|world| world.roster_mismatches).sum();
        let mut invalid: Vec<Invalid> = Vec::new();
        for limit in worlds.iter_mut().flat_map(|world| std::mem::take(&mut world.invalid)) {
            // Each share that meets a limit says so.
            if !invalid.iter().any(|known| known.limit == limit.limit) {
                invalid.push(limit);
            }
        }
        if wrong > 0 {
            let count = worlds[0].users.count();
            let what = format!(
                "{wrong} of {count} users have other contacts on the server than in the scenario's graph; remove those \
                 of another scenario with its `--teardown`, or leave `roster` away to take them as they are"
            );
            invalid.push(Invalid { limit: "roster".to_owned(), what });
        }
        let failures = worlds.iter_mut().filter_map(|world| world.failure.take());
        let failure = failures.min_by_key(|(at, _)| *at).map(|(_, failure)| failure);
        let end = worlds.iter().map(|world| world.now).max().unwrap_or_default();
        let interrupted = worlds.iter().any(|world| world.interrupted);
        let mut worlds = worlds.into_iter();
        let first = worlds.next().expect("a run has a share");
        let (mut login, mut phases, mut tally) = (first.login, first.journal.into_phases(), first.tally);
        let mut software = first.software;
        let ids = first.ids;
        for world in worlds {
            login.merge(&world.login);
            // The first share conducts: a phase that it has not begun was begun by nobody. Another one may lack the last.
            for (phase, other) in phases.iter_mut().zip(world.journal.into_phases()) {
                phase.join(other);
            }
            tally.merge(world.tally);
            software = software.or(world.software);
        }
        let scenario = &first.plan.scenario;
        let failure = failure.or_else(|| nobody_came_back(&phases));
        let is_run = first.plan.mode == Mode::Run;
        // Set-up alone has no phases that could be lacking.
        let complete = !is_run
            || phases.len() == scenario.phases.len() && phases.last().is_some_and(|p| p.drained.is_some());
        let slos = if is_run { &scenario.slos[..] } else { &[] };
        let Tally { begin, .. } = tally;
        let (closes, errors, other) = tally.into_parts();
        let records = Records {
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            run: first.run.as_str().to_owned(),
            begin,
            end,
            login,
            phases,
            closes,
            errors,
            other,
            software,
            ids,
            invalid,
            failure,
            interrupted,
            complete,
        };
        records.into_summary(slos)
    }
}

/// A break that nobody came back from while its phase waited: whatever else was measured, the target is not there for them.
fn nobody_came_back(phases: &[PhaseRecord]) -> Option<Failure> {
    let lost = |phase: &&PhaseRecord| {
        phase.drained.is_some()
            && phase.reconnect.as_ref().is_some_and(|record| record.broken > 0 && record.came_back() == 0)
    };
    let phase = phases.iter().find(lost)?;
    let broken = phase.reconnect.as_ref().map_or(0, |record| record.broken);
    let what =
        format!("phase {}: none of the {broken} users whose connections were broken came back", phase.name);
    Some(Failure::TargetUnreachable(what))
}
