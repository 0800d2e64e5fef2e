//! How much of a scenario is carried out.

use crate::load::mail::Errand;
use crate::load::scenario::{Create, UsersSpec};

/// How much of a scenario is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Set-up, then its phases.
    #[default]
    Run,
    /// Set-up and nothing behind it.
    SetUpOnly,
    /// Nothing but the removal of what set-up makes.
    Teardown,
}

impl Mode {
    /// What users are sent for, in this order.
    pub(in crate::load) fn errands(self, users: &UsersSpec, ids_are_known: bool) -> Vec<Errand> {
        let makes_rosters =
            users.create != Create::Provision && users.roster.as_ref().is_some_and(|spec| !spec.is_empty());
        let mut errands = Vec::new();
        match (self, users.create) {
            (Self::Teardown, create) => {
                // Before the accounts: Prosody keeps in others' rosters, and in those of removed accounts, what it heard of
                // while they were removed, and an account of that name would find it there.
                if makes_rosters {
                    errands.push(Errand::Clear);
                }
                if create == Create::Register {
                    errands.push(Errand::Remove);
                }
            }
            (Self::Run | Self::SetUpOnly, create) => {
                if create == Create::Register {
                    errands.push(Errand::Register);
                }
                if makes_rosters {
                    errands.extend([Errand::Ask, Errand::Approve]);
                } else if self == Self::Run {
                    // Who makes its roster has logged in for that.
                    errands.push(Errand::Rehearse);
                }
                if self == Self::Run && !ids_are_known {
                    errands.push(Errand::ProbeIds);
                }
            }
        }
        errands
    }
}
