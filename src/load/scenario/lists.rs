//! What the files of a scenario hold: accounts, and edges of the roster graph, both as CSV of two columns.
//!
//! A line is `a,b` (RFC 4180: a field may stand in quotes, a quote inside is doubled; no field holds a line's end). Empty
//! lines are skipped. An error is `, line N: …`, to stand behind the file's name.

use std::collections::HashMap;

use super::Accounts;
use super::users::is_prepared_localpart;
use crate::limits::{ROSTER_ITEMS_MAX, USERS_MAX};

/// Accounts of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountList {
    accounts: Vec<(Box<str>, Box<str>)>,
    numbers: HashMap<Box<str>, u32>,
}

impl AccountList {
    /// Lines `user,password`, with that header or without.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut list = Self { accounts: Vec::new(), numbers: HashMap::new() };
        let mut lines = HashMap::new();
        for row in rows(text, ["user", "password"]) {
            let (line, [user, password]) = row?;
            let wrong = |what: String| Err(format!(", line {line}: {what}"));
            if !is_prepared_localpart(&user) {
                return wrong(format!(
                    "user names hold lower-case letters, digits and none of \"&'/:<>@ or spaces, not `{user}`"
                ));
            }
            if password.is_empty() {
                return wrong(format!("user `{user}` has no password"));
            }
            let Some(number) = u32::try_from(list.accounts.len()).ok().filter(|number| *number < USERS_MAX)
            else {
                return wrong(format!("more than {USERS_MAX} users"));
            };
            let user: Box<str> = user.into();
            if list.numbers.insert(user.clone(), number).is_some() {
                return wrong(format!("user `{user}` stands in line {} already", lines[&user]));
            }
            lines.insert(user.clone(), line);
            list.accounts.push((user, password.into()));
        }
        if list.accounts.is_empty() { Err(" holds no users".to_owned()) } else { Ok(list) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.accounts.len()).expect("at most USERS_MAX")
    }

    /// Name and password of account `n`.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn get(&self, n: usize) -> (&str, &str) {
        let (user, password) = &self.accounts[n];
        (user, password)
    }

    /// The account of that name.
    #[must_use]
    pub fn number(&self, user: &str) -> Option<u32> {
        self.numbers.get(user).copied()
    }

    /// The password that all have, unless they differ.
    #[must_use]
    pub fn shared_password(&self) -> Option<&str> {
        let (_, first) = self.accounts.first()?;
        self.accounts.iter().all(|(_, password)| password == first).then_some(first)
    }
}

/// Edges of a roster graph, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeList(Vec<(u32, u32)>);

impl EdgeList {
    /// Lines `user,contact`, with that header or without: names of accounts, or numbers from 0. An edge has both users in
    /// each other's roster; the same one again, in either direction, adds nothing. Edges to users of a list that are
    /// beyond `count` are left out, so that fewer users can be run with the same file.
    pub(super) fn parse(text: &str, count: u32, accounts: &Accounts) -> Result<Self, String> {
        let listed = match accounts {
            Accounts::Listed(list) => list.count(),
            Accounts::Patterns { .. } => count,
        };
        let number = |name: &str| {
            let number = accounts.number(name).or_else(|| name.parse().ok());
            number
                .filter(|number| *number < listed)
                .ok_or_else(|| format!("no user is named or numbered `{name}`"))
        };
        let mut edges = Vec::new();
        let mut contacts = vec![0; count as usize];
        let mut seen = std::collections::HashSet::new();
        for row in rows(text, ["user", "contact"]) {
            let (line, [user, contact]) = row?;
            let wrong = |what: String| format!(", line {line}: {what}");
            let (a, b) = (number(&user).map_err(wrong)?, number(&contact).map_err(wrong)?);
            if a == b {
                return Err(wrong(format!("user `{user}` cannot be its own contact")));
            }
            let edge = (a.min(b), a.max(b));
            if edge.1 >= count || !seen.insert(edge) {
                continue;
            }
            for end in [a, b] {
                contacts[end as usize] += 1;
                if contacts[end as usize] > ROSTER_ITEMS_MAX {
                    let who = accounts.username(end as usize);
                    return Err(wrong(format!("user `{who}` has more than {ROSTER_ITEMS_MAX} contacts")));
                }
            }
            edges.push(edge);
        }
        Ok(Self(edges))
    }

    /// The edges, the lower number first in each.
    #[must_use]
    pub fn edges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Contacts per user on average, rounded down.
    pub(super) fn mean_contacts(&self, count: u32) -> u32 {
        let ends = self.0.len() as u64 * 2;
        u32::try_from(ends / u64::from(count.max(1))).expect("at most ROSTER_ITEMS_MAX")
    }
}

type Row = (usize, [String; 2]);

/// The lines with their numbers from 1, without the header.
fn rows<'t>(text: &'t str, header: [&'t str; 2]) -> impl Iterator<Item = Result<Row, String>> + 't {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let rows = lines.filter(|(_, line)| !line.trim().is_empty()).map(move |(number, line)| {
        let fields = fields(line).map_err(|what| format!(", line {number}: {what}"))?;
        <[String; 2]>::try_from(fields).map(|fields| (number, fields)).map_err(|fields| {
            let wanted = header.join(",");
            format!(", line {number}: `{wanted}` has 2 columns, and this line {}", fields.len())
        })
    });
    rows.enumerate().filter_map(move |(index, row)| match row {
        Ok((_, fields)) if index == 0 && fields.each_ref().map(|f| f.to_lowercase()) == header => None,
        row => Some(row),
    })
}

fn fields(line: &str) -> Result<Vec<String>, String> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let unquoted = rest.trim_start();
        let (field, behind) = match unquoted.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match behind.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.trim().is_empty() => return Ok(fields),
            None => return Err("a quote ends inside a field; double the ones that belong to it".to_owned()),
        }
    }
}

/// The field behind an opening quote, and what follows its closing one.
fn quoted_field(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut rest = text;
    while let Some((part, behind)) = rest.split_once('"') {
        field.push_str(part);
        match behind.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, behind)),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    fn users(text: &str) -> Result<Vec<(String, String)>, String> {
        let list = AccountList::parse(text)?;
        let pair = |n: u32| {
            let (user, password) = list.get(n as usize);
            assert_eq!(list.number(user), Some(n));
            (user.to_owned(), password.to_owned())
        };
        Ok((0..list.count()).map(pair).collect())
    }

    fn pair(user: &str, password: &str) -> (String, String) {
        (user.to_owned(), password.to_owned())
    }

    #[test]
    fn users_with_a_header_and_without() {
        let want = vec![pair("alice", "a b"), pair("bob", "x,\"y\"")];
        for text in [
            "alice,a b\nbob,\"x,\"\"y\"\"\"\n",
            "\u{feff}User, Password\r\nalice, a b\r\n\r\n\"bob\" , \"x,\"\"y\"\"\"",
        ] {
            assert_eq!(users(text), Ok(want.clone()), "{text:?}");
        }
        // A header is a header in the first line only.
        assert_eq!(users("a,1\nuser,password"), Ok(vec![pair("a", "1"), pair("user", "password")]));
    }

    #[test]
    fn mistakes_in_users_name_their_line() {
        for (text, want) in [
            ("user,password\na,1\nb\n", ", line 3: `user,password` has 2 columns, and this line 1"),
            ("a,1,2", ", line 1: `user,password` has 2 columns, and this line 3"),
            ("\na,1\na,2", ", line 3: user `a` stands in line 2 already"),
            ("Alice,1", ", line 1: user names hold lower-case"),
            ("a@b,1", ", line 1: user names hold"),
            ("a,", ", line 1: user `a` has no password"),
            ("a,\"1", ", line 1: a quote is not closed"),
            ("a,\"1\"2", ", line 1: a quote ends inside a field"),
            ("user,password\n", " holds no users"),
        ] {
            let error = users(text).unwrap_err();
            assert!(error.starts_with(want), "{text:?}: {error}");
        }
    }

    #[test]
    fn one_password_for_all_is_noticed() {
        let shared = |text| AccountList::parse(text).unwrap().shared_password().map(str::to_owned);
        assert_eq!(shared("a,1\nb,1"), Some("1".to_owned()));
        assert_eq!(shared("a,1\nb,2"), None);
    }

    fn patterns() -> Accounts {
        let pattern = |text| Pattern::parse(text).unwrap();
        Accounts::Patterns { user: pattern("u{n:02}"), password: pattern("p") }
    }

    #[test]
    fn edges_by_name_and_by_number() {
        let edges = |text| EdgeList::parse(text, 4, &patterns()).map(|list| list.edges().to_vec());
        assert_eq!(edges("user,contact\nu00,u01\n3,u01\n1,0\n\n2,3"), Ok(vec![(0, 1), (1, 3), (2, 3)]));
        for (text, want) in [
            ("0,1\n0,4", ", line 2: no user is named or numbered `4`"),
            ("u00,u1", ", line 1: no user is named or numbered `u1`"),
            ("0,u00", ", line 1: user `0` cannot be its own contact"),
            ("0", ", line 1: `user,contact` has 2 columns, and this line 1"),
        ] {
            assert_eq!(edges(text), Err(want.to_owned()), "{text:?}");
        }
        assert_eq!(EdgeList::parse("0,1\n2,3\n0,2", 4, &patterns()).unwrap().mean_contacts(4), 1);
    }

    #[test]
    fn fewer_users_than_listed_leave_edges_out() {
        let list = AccountList::parse("a,1\nb,1\nc,1").unwrap();
        let accounts = Accounts::Listed(std::sync::Arc::new(list));
        let edges = EdgeList::parse("a,b\nb,c\n2,0", 2, &accounts).unwrap();
        assert_eq!(edges.edges(), [(0, 1)]);
        assert!(EdgeList::parse("a,d", 2, &accounts).is_err());
    }

    #[test]
    fn a_roster_has_an_end() {
        let count = u32::try_from(ROSTER_ITEMS_MAX).unwrap() + 2;
        let pattern = |text| Pattern::parse(text).unwrap();
        let accounts = Accounts::Patterns { user: pattern("u{n}"), password: pattern("p") };
        let text: String = (1..count).map(|n| format!("0,{n}\n")).collect();
        let error = EdgeList::parse(&text, count, &accounts).unwrap_err();
        assert!(error.ends_with("user `u0` has more than 10000 contacts"), "{error}");
    }
}
