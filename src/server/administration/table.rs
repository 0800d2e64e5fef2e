//! The commands that there are, each with its node and its form as XEP-0133 has them.
//!
//! Nothing is done here.

use super::NS_ADMIN;
use crate::server::calls::Which;
use crate::server::forms::{Field, Form};

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    AddUser,
    DeleteUser,
    EndSessions,
    ChangePassword,
    Roster,
    Statistics,
    Number(Which),
    List(Which),
    Announce,
}

/// One command.
#[derive(Debug)]
pub(in crate::server) struct Command {
    pub(in crate::server) node: &'static str,
    /// What people see of it.
    pub(in crate::server) label: &'static str,
    pub(super) kind: Kind,
    form: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    title: &'static str,
    instructions: &'static str,
    fields: &'static [Field],
}

impl Command {
    /// Its form, if it has one.
    pub(in crate::server) fn form(&self) -> Option<String> {
        let Asked { title, instructions, fields } = self.form.as_ref()?;
        Some(Form::asking(NS_ADMIN, title, instructions, fields))
    }

    /// What its node ends with.
    pub(in crate::server) fn name(&self) -> &'static str {
        self.node.rsplit('#').next().unwrap_or(self.node)
    }
}

const fn field(var: &'static str, kind: &'static str, label: &'static str, required: bool) -> Field {
    Field { var, kind, label, required, options: &[] }
}

const MAX_ITEMS: Field = Field {
    var: "max_items",
    kind: "list-single",
    label: "Maximum number of items to show",
    required: false,
    options: &["25", "50", "75", "100", "150", "200", "none"],
};

macro_rules! node {
    ($name:literal) => {
        concat!("http://jabber.org/protocol/admin#", $name)
    };
}

/// All of them, in the order in which XEP-0133 §4 has them.
pub(in crate::server) const COMMANDS: &[Command] = &[
    Command {
        node: node!("add-user"),
        label: "Add User",
        kind: Kind::AddUser,
        form: Some(Asked {
            title: "Adding a User",
            instructions: "Fill out this form to add a user.",
            fields: &[
                field("accountjid", "jid-single", "The Jabber ID for the account to be added", true),
                field("password", "text-private", "The password for this account", true),
                field("password-verify", "text-private", "Retype password", false),
            ],
        }),
    },
    Command {
        node: node!("delete-user"),
        label: "Delete User",
        kind: Kind::DeleteUser,
        form: Some(Asked {
            title: "Deleting a User",
            instructions: "Fill out this form to delete a user.",
            fields: &[field("accountjids", "jid-multi", "The Jabber ID(s) to delete", true)],
        }),
    },
    Command {
        node: node!("end-user-session"),
        label: "End User Session",
        kind: Kind::EndSessions,
        form: Some(Asked {
            title: "Ending a User Session",
            instructions: "Fill out this form to end a user's session.",
            fields: &[field("accountjids", "jid-multi", "The Jabber ID(s) for which to end sessions", true)],
        }),
    },
    Command {
        node: node!("change-user-password"),
        label: "Change User Password",
        kind: Kind::ChangePassword,
        form: Some(Asked {
            title: "Changing a User Password",
            instructions: "Fill out this form to change a user's password.",
            fields: &[
                field("accountjid", "jid-single", "The Jabber ID for this account", true),
                field("password", "text-private", "The password for this account", true),
            ],
        }),
    },
    Command {
        node: node!("get-user-roster"),
        label: "Get User Roster",
        kind: Kind::Roster,
        form: Some(Asked {
            title: "Getting a User's Roster",
            instructions: "Fill out this form to get a user's roster.",
            fields: &[field(
                "accountjids",
                "jid-multi",
                "The Jabber ID(s) for which to retrieve the roster",
                true,
            )],
        }),
    },
    Command {
        node: node!("user-stats"),
        label: "Get User Statistics",
        kind: Kind::Statistics,
        form: Some(Asked {
            title: "Get User Statistics",
            instructions: "Fill out this form to gather user statistics.",
            // The XEP has the first, and requires it; Smack's interoperability tests fill in the second.
            fields: &[
                field("accountjid", "jid-single", "The Jabber ID for statistics", false),
                field("accountjids", "jid-multi", "The same as a list of one", false),
            ],
        }),
    },
    Command {
        node: node!("get-registered-users-num"),
        label: "Get Number of Registered Users",
        kind: Kind::Number(Which::Registered),
        form: None,
    },
    Command {
        node: node!("get-online-users-num"),
        label: "Get Number of Online Users",
        kind: Kind::Number(Which::Online),
        form: None,
    },
    Command {
        node: node!("get-active-users-num"),
        label: "Get Number of Active Users",
        kind: Kind::Number(Which::Active),
        form: None,
    },
    Command {
        node: node!("get-idle-users-num"),
        label: "Get Number of Idle Users",
        kind: Kind::Number(Which::Idle),
        form: None,
    },
    Command {
        node: node!("get-registered-users-list"),
        label: "Get List of Registered Users",
        kind: Kind::List(Which::Registered),
        form: Some(Asked {
            title: "Requesting List of Registered Users",
            instructions: "Fill out this form to request the registered users of this service.",
            fields: &[MAX_ITEMS],
        }),
    },
    Command {
        node: node!("get-online-users-list"),
        label: "Get List of Online Users",
        kind: Kind::List(Which::Online),
        form: Some(Asked {
            title: "Requesting List of Online Users",
            instructions: "Fill out this form to request the online users of this service.",
            fields: &[MAX_ITEMS],
        }),
    },
    Command {
        node: node!("get-active-users"),
        label: "Get List of Active Users",
        kind: Kind::List(Which::Active),
        form: Some(Asked {
            title: "Requesting List of Active Users",
            instructions: "Fill out this form to request the active users of this service.",
            fields: &[MAX_ITEMS],
        }),
    },
    Command {
        node: node!("get-idle-users"),
        label: "Get List of Idle Users",
        kind: Kind::List(Which::Idle),
        form: Some(Asked {
            title: "Requesting List of Idle Users",
            instructions: "Fill out this form to request the idle users of this service.",
            fields: &[MAX_ITEMS],
        }),
    },
    Command {
        node: node!("announce"),
        label: "Send Announcement to Online Users",
        kind: Kind::Announce,
        form: Some(Asked {
            title: "Making an Announcement",
            instructions: "Fill out this form to make an announcement to all active users of this service.",
            fields: &[field("announcement", "text-multi", "Announcement", true)],
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::{COMMANDS, NS_ADMIN};

    #[test]
    fn nodes_are_of_the_namespace_and_each_once() {
        for (place, command) in COMMANDS.iter().enumerate() {
            assert_eq!(command.node, format!("{NS_ADMIN}#{}", command.name()));
            assert!(COMMANDS[..place].iter().all(|other| other.node != command.node), "{}", command.node);
        }
    }
}
