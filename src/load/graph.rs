//! Who is whose contact.
//!
//! Nothing is sent: the embedded router is provisioned with the same call as the harness checks its rosters by.

use super::random::{Purpose, Random};
use super::scenario::{Graph, RosterSpec};
use crate::limits::ROSTER_ITEMS_MAX;

/// Share of the edges of a small world that are rewired (Watts and Strogatz, Nature 393, 1998: between 0.01 and 0.1
/// paths are already as short as in a random graph, and neighbourhoods still as dense as in the ring).
const REWIRED: f64 = 0.1;

/// Exponent of the Zipf graph: the user of rank `r` is chosen with a weight of `r` to the minus this. Numbers of contacts are
/// then spread by a power law with exponent 1 + 1/0.8 = 2.25, between 2 and 3 as in most networks of people that were
/// measured (Newman, SIAM Review 45, 2003, table 3.1); with the classic exponent of 1 the first ranks of a small run
/// would have everybody.
const ZIPF_EXPONENT: f64 = 0.8;
/// Draws for one edge before the next rank that has room takes it.
const ZIPF_DRAWS_MAX: u32 = 64;

/// Contacts of each of `count` users: symmetric (`a` has `b` exactly when `b` has `a`), without oneself, sorted.
/// A pure function of its arguments.
///
/// A graph that was not checked by the scenario's parser gets as many contacts as `count` users can have.
#[must_use]
pub fn contacts(spec: &RosterSpec, count: u32, seed: u64) -> Vec<Vec<u32>> {
    let mut graph = Edges::new(count);
    let wanted = spec.contacts.min(count.saturating_sub(1));
    let mut random = Random::new(seed, Purpose::Graph);
    match &spec.graph {
        Graph::Ring => graph.ring(wanted),
        Graph::Random => graph.random(wanted, &mut random),
        Graph::SmallWorld => {
            graph.ring(wanted);
            graph.rewire(wanted, &mut random);
        }
        Graph::Zipf => graph.zipf(wanted, &mut random),
        Graph::File(list) => list.edges().iter().for_each(|(a, b)| {
            graph.add(*a, *b);
        }),
    }
    let mut lists = graph.lists;
    lists.iter_mut().for_each(|list| list.sort_unstable());
    lists
}

struct Edges {
    count: u32,
    /// Most contacts of one user.
    items_max: usize,
    lists: Vec<Vec<u32>>,
}

impl Edges {
    fn new(count: u32) -> Self {
        Self { count, items_max: ROSTER_ITEMS_MAX, lists: vec![Vec::new(); count as usize] }
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

    /// `contacts` on average: everybody in turn chooses one that it has not, the popular ones more often. Who is popular is
    /// up to the seed; nobody gets more than a roster holds.
    fn zipf(&mut self, contacts: u32, random: &mut Random) {
        let mut ranked: Vec<u32> = (0..self.count).collect();
        for place in (1..self.count).rev() {
            ranked.swap(place as usize, random.below(place + 1) as usize);
        }
        let mut sum = 0.0;
        let weight_up_to = |rank: u32| {
            sum += f64::from(rank).powf(-ZIPF_EXPONENT);
            sum
        };
        let sums: Vec<f64> = (1..=self.count).map(weight_up_to).collect();
        let mut left = u64::from(self.count) * u64::from(contacts) / 2;
        let mut idle = 0;
        for user in (0..self.count).cycle() {
            if left == 0 || idle == self.count {
                return;
            }
            let chosen = self.choose_popular(user, &ranked, &sums, random);
            idle = if chosen { 0 } else { idle + 1 };
            left -= u64::from(chosen);
        }
    }

    fn choose_popular(&mut self, user: u32, ranked: &[u32], sums: &[f64], random: &mut Random) -> bool {
        let others = self.count as usize - 1;
        if !self.has_room(user) || self.lists[user as usize].len() == others {
            return false;
        }
        let mut rank = 0;
        for _ in 0..ZIPF_DRAWS_MAX {
            let lot = random.unit() * sums[others];
            rank = sums.partition_point(|sum| *sum < lot).min(others);
            if self.has_room(ranked[rank]) && self.add(user, ranked[rank]) {
                return true;
            }
        }
        let behind = ranked[rank..].iter().chain(&ranked[..rank]);
        { behind }.any(|other| self.has_room(*other) && self.add(user, *other))
    }

    fn has_room(&self, user: u32) -> bool {
        self.lists[user as usize].len() < self.items_max
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
    fn in_a_zipf_graph_popularity_falls_with_the_rank() {
        let lists = contacts(&spec(Graph::Zipf, 20), 5_000, 7);
        let mut degrees: Vec<usize> = lists.iter().map(Vec::len).collect();
        assert_eq!(degrees.iter().sum::<usize>(), 100_000, "20 on average");
        degrees.sort_unstable_by(|a, b| b.cmp(a));
        // Everybody chooses 10 and is chosen by rank^-0.8 of all: 10 times the rank are 10^-0.8 = 0.16 of the choices.
        let chosen = |rank: usize| degrees[rank - 1] as f64 - 10.0;
        for (low, high) in [(2, 20), (5, 50), (20, 200)] {
            let fall = chosen(high) / chosen(low);
            assert!((0.12..0.21).contains(&fall), "rank {low} to {high}: {fall}");
        }
        assert!(degrees[4_999] >= 10, "nobody is alone");
        let popular = |seed| {
            let lists = contacts(&spec(Graph::Zipf, 20), 5_000, seed);
            (0..5_000).max_by_key(|user| lists[*user].len())
        };
        assert_ne!(popular(7), popular(8), "the first user is not the most popular one");
    }

    #[test]
    fn a_roster_bounds_popularity() {
        let mut graph = Edges { items_max: 50, ..Edges::new(1_000) };
        graph.zipf(20, &mut Random::new(3, Purpose::Graph));
        let lengths = || graph.lists.iter().map(Vec::len);
        // The first rank would be chosen by some 650.
        assert_eq!(lengths().max(), Some(50));
        assert_eq!(lengths().sum::<usize>(), 20_000, "the others take what it may not have");
        let mut full = Edges { items_max: 4, ..Edges::new(10) };
        full.zipf(8, &mut Random::new(3, Purpose::Graph));
        assert!(full.lists.iter().all(|list| list.len() <= 4), "it ends when nobody has room");
    }

    #[test]
    fn the_seed_decides() {
        for graph in [Graph::Random, Graph::SmallWorld, Graph::Zipf] {
            let lists = |seed| contacts(&spec(graph.clone(), 6), 100, seed);
            assert_eq!(lists(1), lists(1));
            assert_ne!(lists(1), lists(2));
        }
    }

    proptest! {
        #[test]
        fn every_graph_is_symmetric(kind in 0usize..4, count in 1u32..60, half in 0u32..20, seed: u64) {
            let graph = [Graph::Ring, Graph::Random, Graph::SmallWorld, Graph::Zipf][kind].clone();
            let wanted = (half * 2).min(count - 1);
            let lists = contacts(&spec(graph.clone(), wanted), count, seed);
            let mut edges = 0;
            for (user, list) in lists.iter().enumerate() {
                let user = u32::try_from(user).unwrap();
                prop_assert!(!list.contains(&user));
                prop_assert!(list.windows(2).all(|w| w[0] < w[1]), "sorted, none twice");
                prop_assert!(list.iter().all(|other| lists[*other as usize].contains(&user)));
                edges += list.len();
            }
            let even = if matches!(graph, Graph::Random | Graph::Zipf) { wanted } else { wanted / 2 * 2 };
            prop_assert_eq!(edges as u64 / 2, u64::from(count) * u64::from(even) / 2);
        }
    }
}
