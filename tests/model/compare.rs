//! What came to a client, held against what should have come.
//!
//! From each sender, what each stanza must lead to comes in the order of the stanzas; of one stanza, what has a step comes
//! in the order of the steps, whoever sent it. All else has no order.

use std::collections::BTreeMap;

use super::actor::Got;
use super::reference::{Inner, Want, Wants};

/// One client's frames since the last step of a run.
pub(crate) struct Comparison<'a> {
    pub(crate) client: usize,
    pub(crate) got: &'a [&'a Got],
    /// Per stanza, in order.
    pub(crate) groups: &'a [Wants],
    pub(crate) homes: usize,
    pub(crate) has_ended: bool,
}

/// A frame and its place among all.
type Came<'a> = (usize, &'a Got);
/// What was wanted of which stanza, and what came for it.
type Matched<'a> = (usize, &'a Want, Came<'a>);

impl<'a> Comparison<'a> {
    /// Which frame is what was wanted.
    pub(crate) fn run(&self) -> Result<Vec<(&'a Want, &'a Got)>, String> {
        let mut by_sender: BTreeMap<&str, Vec<Came<'a>>> = BTreeMap::new();
        for (place, got) in self.got.iter().enumerate() {
            by_sender.entry(got.attr("from").unwrap_or_default()).or_default().push((place, got));
        }
        let mut matched = self.take_late(&mut by_sender)?;
        for (group, wants) in self.groups.iter().enumerate() {
            let mut wanted: BTreeMap<&str, Vec<&Want>> = BTreeMap::new();
            for (_, want) in wants.iter().filter(|(to, want)| *to == self.client && !self.is_late(want)) {
                wanted.entry(want.attr("from")).or_default().push(want);
            }
            for (from, wants) in wanted {
                let came = by_sender.entry(from).or_default();
                let mut next: Vec<Came<'a>> = came.drain(..wants.len().min(came.len())).collect();
                for want in wants {
                    match next.iter().position(|(_, g)| want.is(g)) {
                        Some(at) => matched.push((group, want, next.remove(at))),
                        None if self.may_miss() => {}
                        None => return Err(self.missing(want, &[&next[..], &came[..]].concat())),
                    }
                }
                came.splice(..0, next);
            }
        }
        if let Some((_, extra)) = by_sender.into_values().flatten().next() {
            let (client, raw) = (self.client, &extra.raw);
            return Err(format!("client {client} got what is not for it, or got it twice: {raw}"));
        }
        self.check_steps(&matched)?;
        Ok(matched.into_iter().map(|(_, want, (_, got))| (want, got)).collect())
    }

    /// An answer from another home may find that its asker has gone.
    const fn may_miss(&self) -> bool {
        self.has_ended && self.homes > 1
    }

    /// With several homes, errors come from the sender's own or from another one, and have no order.
    const fn is_late(&self, want: &Want) -> bool {
        want.late || (self.homes > 1 && matches!(want.inner, Inner::Error(..)))
    }

    fn take_late(
        &self,
        by_sender: &mut BTreeMap<&'a str, Vec<Came<'a>>>,
    ) -> Result<Vec<Matched<'a>>, String> {
        let mut matched = Vec::new();
        let wants = self.groups.iter().enumerate().flat_map(|(n, group)| group.iter().map(move |w| (n, w)));
        for (group, (to, want)) in wants {
            if *to != self.client || !self.is_late(want) {
                continue;
            }
            let came = by_sender.entry(want.attr("from")).or_default();
            match came.iter().position(|(_, g)| want.is(g)) {
                Some(at) => matched.push((group, want, came.remove(at))),
                None if self.may_miss() => {}
                None => return Err(self.missing(want, came)),
            }
        }
        Ok(matched)
    }

    fn check_steps(&self, matched: &[Matched<'a>]) -> Result<(), String> {
        let is_stepped = |(group, want, (place, got)): &Matched<'a>| {
            want.step.filter(|_| !self.is_late(want)).map(|step| (*group, step, *place, *got))
        };
        let mut stepped: Vec<_> = matched.iter().filter_map(is_stepped).collect();
        stepped.sort_by_key(|(group, step, place, _)| (*group, *step, *place));
        for pair in stepped.windows(2) {
            let ((group, step, place, first), (next_group, next_step, next_place, then)) = (pair[0], pair[1]);
            if group == next_group && step < next_step && place > next_place {
                let (client, first, then) = (self.client, &first.raw, &then.raw);
                return Err(format!("client {client} got\n  {then}\nbefore\n  {first}\nwhich comes first"));
            }
        }
        Ok(())
    }

    fn missing(&self, want: &Want, came: &[Came<'a>]) -> String {
        let came: Vec<&str> = came.iter().map(|(_, g)| g.raw.as_str()).collect();
        format!("client {} should have got {want:?}\nand got of this sender {came:#?}", self.client)
    }
}
