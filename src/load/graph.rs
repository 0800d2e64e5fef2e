//! Who is whose contact.
//!
//! Nothing is sent: the embedded router is provisioned with the same call as the harness checks its rosters by.

use super::random::{Purpose, Random};
use super::scenario::{Graph, RosterSpec};

/// Share of the edges of a small world that are rewired (Watts and Strogatz, Nature 393, 1998: between 0.01 and 0.1
/// paths are already as short as in a random graph, and neighbourhoods still as dense as in the ring).
const REWIRED: f64 = 0.1;

/// Contacts of each of `count` users: symmetric (`a` has `b` exactly when `b` has `a`), without oneself, sorted.
/// A pure function of its arguments.
///
/// A graph that was not checked by the scenario's parser gets as many contacts as `count` users can have.
#[must_use]
pub fn contacts(spec: &RosterSpec, count: u32, seed: u64) -> Vec<Vec<u32>> {
    let mut graph = Edges::new(count);
    let wanted = spec.contacts.min(count.saturating_sub(1));
    let mut random = Random::new(seed, Purpose::Graph);
    match spec.graph {
        Graph::Ring => graph.ring(wanted),
        Graph::Random => graph.random(wanted, &mut random),
        Graph::SmallWorld => {
            graph.ring(wanted);
            graph.rewire(wanted, &mut random);
        }
    }
    let mut lists = graph.lists;
    lists.iter_mut().for_each(|list| list.sort_unstable());
    lists
}

struct Edges {
    count: u32,
    lists: Vec<Vec<u32>>,
}

impl Edges {
    fn new(count: u32) -> Self {
        Self { count, lists: vec![Vec::new(); count as usize] }
    }

    fn has(&self, a: u32, b: u32) -> bool {
        // The shorter list of the two: rosters are short, and a set per user would cost more than it saves.
        let (a, b) =
            if self.lists[a as usize].len() <= self.lists[b as usize].len() { (a, b) } else { (b, a) };
        self.lists[a as usize].contains(&b)
    }

    /// Adds an edge unless it is there or a loop.
    fn add(&mut self, a: u32, b: u32) -> bool {
        if a == b || self.has(a, b) {
            return false;
        }
        self.lists[a as usize].push(b);
        self.lists[b as usize].push(a);
        true
    }

    fn remove(&mut self, a: u32, b: u32) {
        self.lists[a as usize].retain(|c| *c != b);
        self.lists[b as usize].retain(|c| *c != a);
    }

    fn neighbour(&self, user: u32, distance: u32) -> u32 {
        let sum = (u64::from(user) + u64::from(distance)) % u64::from(self.count);
        u32::try_from(sum).expect("below `count`")
    }

    fn ring(&mut self, contacts: u32) {
        for user in 0..self.count {
            for distance in 1..=contacts / 2 {
                self.add(user, self.neighbour(user, distance));
            }
        }
    }

    /// `contacts` on average: as many different edges as that needs, each equally likely.
    fn random(&mut self, contacts: u32, random: &mut Random) {
        let mut left = u64::from(self.count) * u64::from(contacts) / 2;
        let all = u64::from(self.count) * u64::from(self.count.saturating_sub(1)) / 2;
        // Of a graph that is more than half full, the edges that are not in it are drawn: the last free place
        // would otherwise take forever to hit.
        let full = left > all / 2;
        if full {
            for a in 0..self.count {
                (0..a).for_each(|b| {
                    self.add(a, b);
                });
            }
            left = all - left;
        }
        while left > 0 {
            let (a, b) = (random.below(self.count), random.below(self.count));
            let hit = if full { a != b && self.has(a, b) } else { self.add(a, b) };
            if hit && full {
                self.remove(a, b);
            }
            left -= u64::from(hit);
        }
    }

    fn rewire(&mut self, contacts: u32, random: &mut Random) {
        if contacts + 1 >= self.count {
            return;
        }
        for distance in 1..=contacts / 2 {
            for user in 0..self.count {
                let old = self.neighbour(user, distance);
                // Drawn for every edge, so that one edge's fate does not shift the next one's.
                let (lot, new) = (random.unit(), random.below(self.count));
                if lot <= REWIRED && self.has(user, old) && self.add(user, new) {
                    self.remove(user, old);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(graph: Graph, contacts: u32) -> RosterSpec {
        RosterSpec { graph, contacts }
    }

    #[test]
    fn a_ring_has_the_neighbours() {
        let lists = contacts(&spec(Graph::Ring, 4), 8, 0);
        assert_eq!(lists[0], [1, 2, 6, 7]);
        assert_eq!(lists[5], [3, 4, 6, 7]);
    }

    #[test]
    fn a_small_world_is_a_ring_with_some_strangers() {
        let lists = contacts(&spec(Graph::SmallWorld, 10), 2_000, 7);
        let edges: usize = lists.iter().map(Vec::len).sum();
        assert_eq!(edges, 20_000);
        let far = |a: usize, b: u32| {
            let distance = (a as i64 - i64::from(b)).unsigned_abs();
            distance.min(2_000 - distance) > 5
        };
        let strangers: usize =
            lists.iter().enumerate().map(|(a, list)| list.iter().filter(|b| far(a, **b)).count()).sum();
        assert!((1_600..2_400).contains(&strangers), "a tenth of 20,000 is expected, not {strangers}");
    }

    #[test]
    fn the_seed_decides() {
        for graph in [Graph::Random, Graph::SmallWorld] {
            let lists = |seed| contacts(&spec(graph, 6), 100, seed);
            assert_eq!(lists(1), lists(1));
            assert_ne!(lists(1), lists(2));
        }
    }

    proptest! {
        #[test]
        fn every_graph_is_symmetric(kind in 0usize..3, count in 1u32..60, half in 0u32..20, seed: u64) {
            let graph = [Graph::Ring, Graph::Random, Graph::SmallWorld][kind];
            let wanted = (half * 2).min(count - 1);
            let lists = contacts(&spec(graph, wanted), count, seed);
            let mut edges = 0;
            for (user, list) in lists.iter().enumerate() {
                let user = u32::try_from(user).unwrap();
                prop_assert!(!list.contains(&user));
                prop_assert!(list.windows(2).all(|w| w[0] < w[1]), "sorted, none twice");
                prop_assert!(list.iter().all(|other| lists[*other as usize].contains(&user)));
                edges += list.len();
            }
            let even = if graph == Graph::Random { wanted } else { wanted / 2 * 2 };
            prop_assert_eq!(edges as u64 / 2, u64::from(count) * u64::from(even) / 2);
        }
    }
}
