//! Who runs on which core when router and harness share one machine.
//!
//! It pins nothing when there is one core only, and nothing when the target is elsewhere: the kernel knows better
//! than we do then. Two hardware threads of one core go to the same half, or the halves would slow each other down.

use std::fs;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::reactor::ReactorConfig;

/// The cores of the two halves, ascending. Both are empty when nothing is pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Halves {
    /// The router's.
    pub router: Vec<usize>,
    /// The harness's.
    pub harness: Vec<usize>,
}

impl Halves {
    /// Halves of the cores that this process may use.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::split(&allowed(), siblings)
    }

    /// `siblings` names the physical core of a logical one.
    fn split(cores: &[usize], siblings: impl Fn(usize) -> String) -> Self {
        let mut physical: Vec<(String, Vec<usize>)> = Vec::new();
        for core in cores {
            let name = siblings(*core);
            match physical.iter_mut().find(|(known, _)| *known == name) {
                Some((_, threads)) => threads.push(*core),
                None => physical.push((name, vec![*core])),
            }
        }
        // Two threads of the only core are still better than both halves on both.
        let units: Vec<Vec<usize>> = if physical.len() > 1 {
            physical.into_iter().map(|(_, threads)| threads).collect()
        } else {
            cores.iter().map(|core| vec![*core]).collect()
        };
        if units.len() < 2 {
            return Self::default();
        }
        let (router, harness) = units.split_at(units.len() / 2);
        let sorted = |half: &[Vec<usize>]| {
            let mut cores = half.concat();
            cores.sort_unstable();
            cores
        };
        Self { router: sorted(router), harness: sorted(harness) }
    }

    /// Whether anything is pinned.
    #[must_use]
    pub fn is_split(&self) -> bool {
        !self.router.is_empty()
    }
}

/// Pins the calling thread, and the threads that it starts from now on. An empty list changes nothing.
///
/// # Errors
/// The kernel refuses, for instance because a container may not use one of the cores.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for core in cores.iter().filter(|core| **core < CpuSet::MAX_CPU) {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// One configuration for each reactor, pinned to one of `cores` each, in turn; not pinned when there are none.
#[must_use]
pub fn reactor_configs(reactors: usize, cores: &[usize]) -> Vec<ReactorConfig> {
    let core = |n: usize| (!cores.is_empty()).then(|| cores[n % cores.len()]);
    (0..reactors).map(|n| ReactorConfig { core: core(n) }).collect()
}

/// Cores that this process may run on, ascending.
#[must_use]
pub fn allowed() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// The kernel's name of the physical core; the logical one's own where it does not say.
fn siblings(core: usize) -> String {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
        .map_or_else(|_| core.to_string(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(router: &[usize], harness: &[usize]) -> Halves {
        Halves { router: router.to_vec(), harness: harness.to_vec() }
    }

    #[test]
    fn halves_do_not_share_a_physical_core() {
        let alone = |core: usize| core.to_string();
        assert_eq!(Halves::split(&[], alone), Halves::default());
        assert_eq!(Halves::split(&[3], alone), Halves::default());
        assert_eq!(Halves::split(&[0, 1], alone), halves(&[0], &[1]));
        assert_eq!(Halves::split(&[0, 1, 2], alone), halves(&[0], &[1, 2]));
        // Linux numbers the second threads of four cores 4 to 7: the plain halves would share all cores.
        let threaded = |core: usize| format!("{},{}", core % 4, core % 4 + 4);
        assert_eq!(Halves::split(&[0, 1, 2, 3, 4, 5, 6, 7], threaded), halves(&[0, 1, 4, 5], &[2, 3, 6, 7]));
        // One core with two threads has no better halves than its threads.
        assert_eq!(Halves::split(&[0, 1], |_| "0-1".to_owned()), halves(&[0], &[1]));
    }

    #[test]
    fn this_process_may_run_somewhere() {
        assert!(!allowed().is_empty());
        assert!(pin(&[]).is_ok());
    }
}
