//! The configuration of `serve`: a small TOML file, every key optional.
//!
//! It starts nothing. A mistake is an error with its place and, where a name is misspelt, the nearest valid one.

mod contact;
mod listen;
mod users;

use std::net::SocketAddr;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::exit::{Complaint, Exit, Failure};
use super::router;
use super::store::StoreUrl;
use crate::limits::{DOMAINS_MAX, HOMES_MAX, REGISTRATIONS_PER_MINUTE};
use crate::server::{ConflictPolicy, Contacts};
use crate::stanza::{AddressProfile, Jid};
use crate::stream::Mechanism;

pub use users::User;

/// Where `serve` listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:5222";
/// Offered unless told otherwise, in this order.
const DEFAULT_MECHANISMS: [Mechanism; 3] = [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain];

/// What `serve` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeConfig {
    /// At least one; loopback only, as long as there is no TLS.
    pub listen: Vec<SocketAddr>,
    /// Where the page for Prometheus is, if anywhere; loopback only, since it asks for no password.
    pub metrics: Option<SocketAddr>,
    /// Reactors; one for each core that this process may use, without.
    pub reactors: Option<usize>,
    /// Whether each reactor is pinned to a core.
    pub pin: bool,
    /// Domain served.
    pub domain: String,
    /// Further domains.
    pub virtual_hosts: Vec<String>,
    /// Mechanisms offered, in order of preference.
    pub mechanisms: Vec<Mechanism>,
    /// What happens when a client asks for a resource that is taken.
    pub conflict: ConflictPolicy,
    /// Accounts.
    pub users: Vec<User>,
    /// Scenario whose accounts and rosters are made as well; a relative path counts from the configuration's folder.
    pub scenario: Option<PathBuf>,
    /// Where accounts are kept, if the file says so ([`StoreUrl::of_configuration`] where nobody does).
    pub store: Option<StoreUrl>,
    /// Whom to turn to (XEP-0157).
    pub contacts: Contacts,
    /// Whether whoever connects may make an account (XEP-0077).
    pub registration: bool,
    /// How many may be made so in a minute; `None`: any number.
    pub registrations_per_minute: Option<NonZero<u32>>,
    /// Who may give administrative commands (XEP-0133), each to its own domain: bare JIDs of the domains.
    pub admins: Vec<String>,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<toml::Value>>,
    metrics: Option<Spanned<toml::Value>>,
    reactors: Option<Spanned<usize>>,
    pin: Option<bool>,
    domain: Option<Spanned<String>>,
    virtual_hosts: Option<Vec<Spanned<String>>>,
    mechanisms: Option<Spanned<Vec<Spanned<String>>>>,
    conflict: Option<Spanned<String>>,
    addresses: Option<Spanned<String>>,
    anonymous: Option<bool>,
    users: Option<Vec<users::Written>>,
    scenario: Option<PathBuf>,
    store: Option<Spanned<String>>,
    contact: Option<contact::Contact>,
    registration: Option<bool>,
    registrations_per_minute: Option<u32>,
    admins: Option<Vec<Spanned<String>>>,
}

impl Default for ServeConfig {
    /// Two accounts to try it with, on loopback.
    fn default() -> Self {
        let user = |name: &str| User { name: name.to_owned(), password: name.to_owned() };
        Self {
            listen: vec![DEFAULT_LISTEN.parse().expect("a constant")],
            metrics: None,
            reactors: None,
            pin: false,
            domain: "localhost".to_owned(),
            virtual_hosts: Vec::new(),
            mechanisms: DEFAULT_MECHANISMS.to_vec(),
            conflict: ConflictPolicy::default(),
            users: vec![user("alice"), user("bob")],
            scenario: None,
            store: None,
            contacts: Contacts::default(),
            registration: false,
            registrations_per_minute: NonZero::new(REGISTRATIONS_PER_MINUTE),
            admins: Vec::new(),
        }
    }
}

impl ServeConfig {
    /// What suites of conformance tests need: plaintext on loopback, PLAIN and SCRAM-SHA-1, registration without a limit, and
    /// an administrator (`docs/test-suites.md`).
    #[must_use]
    pub fn for_test_suites() -> Self {
        let mut config = Self {
            mechanisms: vec![Mechanism::ScramSha1, Mechanism::Plain],
            users: vec![User { name: "admin".to_owned(), password: "admin".to_owned() }],
            registration: true,
            registrations_per_minute: None,
            store: Some(StoreUrl::Memory),
            ..Self::default()
        };
        config.admins = vec![format!("admin@{}", config.domain)];
        config
    }

    /// Serves another domain in place of the first one, with the same administrators there.
    pub fn set_domain(&mut self, domain: &str) {
        for admin in &mut self.admins {
            if let Some((name, own)) = admin.split_once('@')
                && own == self.domain
            {
                *admin = format!("{name}@{domain}");
            }
        }
        self.virtual_hosts.retain(|host| host != domain);
        domain.clone_into(&mut self.domain);
    }

    /// All domains, the first one first.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.domain).chain(&self.virtual_hosts).map(String::as_str)
    }

    /// Where accounts are kept: as `flag` says, else the configuration that was read from `path`, if any. Where nobody says it,
    /// in memory with a scenario, whose accounts are made anew each time, else in a file.
    ///
    /// # Errors
    /// Exit code 2: it is no store, or there is no folder for it.
    pub fn store_url(&self, flag: Option<&str>, path: Option<&Path>) -> Result<StoreUrl, Failure> {
        if let Some(text) = flag {
            return StoreUrl::parse(text, None).map_err(|what| Failure::usage(format!("--store: {what}")));
        }
        match &self.store {
            Some(url) => Ok(url.clone()),
            None if self.scenario.is_some() => Ok(StoreUrl::Memory),
            None => StoreUrl::of_configuration(path).map_err(Failure::usage),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Exit code 2: it cannot be read, or has mistakes.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read configuration {}: {error}", path.display()))
                .help("without a configuration, `xmpp-bench serve` listens on 127.0.0.1:5222")
        })?;
        Self::parse(&text, &path.display().to_string(), path.parent()).map(|mut config| {
            if let (Some(scenario), Some(folder)) = (&mut config.scenario, path.parent()) {
                *scenario = folder.join(&*scenario);
            }
            config
        })
    }

    /// `name` is how the file is called in errors, `folder` where relative files are.
    fn parse(text: &str, name: &str, folder: Option<&Path>) -> Result<Self, Failure> {
        let faults = Faults { text, name };
        let file: File = toml::from_str(text).map_err(|error| faults.of_toml(&error))?;
        // Before any address is read.
        file.addresses.as_ref().map_or(Ok(()), |word| address_profile(word, faults))?;
        let defaults = Self::default();
        let listen =
            file.listen.as_ref().map_or(Ok(defaults.listen), |v| listen::addresses("listen", v, faults))?;
        let metrics = match &file.metrics {
            None => None,
            Some(value) => match listen::addresses("metrics", value, faults)?[..] {
                [one] => Some(one),
                _ => return Err(faults.at(value.span(), "metrics: one address".to_owned(), None)),
            },
        };
        if let Some(reactors) = &file.reactors
            && !(1..=HOMES_MAX).contains(reactors.get_ref())
        {
            let what = format!("reactors: {} is not between 1 and {HOMES_MAX}", reactors.get_ref());
            let help = Some("leave it away for one reactor for each core".to_owned());
            return Err(faults.at(reactors.span(), what, help));
        }
        let mechanisms = mechanisms(file.mechanisms.as_ref(), file.anonymous, faults)?;
        let conflict = file.conflict.as_ref().map_or(Ok(defaults.conflict), |word| conflict(word, faults))?;
        let domain = match file.domain {
            None => defaults.domain,
            Some(domain) => self::domain("domain", &domain, faults)?,
        };
        let virtual_hosts =
            virtual_hosts(&domain, file.virtual_hosts.as_deref().unwrap_or_default(), faults)?;
        let domains: Vec<&str> = std::iter::once(&domain).chain(&virtual_hosts).map(String::as_str).collect();
        let admins = file.admins.unwrap_or_default();
        let admins = admins.into_iter().map(|admin| self::admin(admin, &domains, faults));
        let admins = admins.collect::<Result<_, _>>()?;
        let users = users::check(file.users.unwrap_or_default(), &domains, faults)?;
        let store = file.store.as_ref().map(|url| {
            let store = StoreUrl::parse(url.get_ref(), folder);
            store.map_err(|what| faults.at(url.span(), format!("store: {what}"), None))
        });
        let store = store.transpose()?;
        Ok(Self {
            admins,
            listen,
            metrics,
            reactors: file.reactors.map(Spanned::into_inner),
            pin: file.pin.unwrap_or(defaults.pin),
            users,
            domain,
            virtual_hosts,
            mechanisms,
            conflict,
            scenario: file.scenario,
            store,
            contacts: file.contact.unwrap_or_default().check(faults)?,
            registration: file.registration.unwrap_or(defaults.registration),
            registrations_per_minute: match file.registrations_per_minute {
                None => defaults.registrations_per_minute,
                Some(count) => NonZero::new(count),
            },
        })
    }
}

/// Refuses what the network could listen to.
///
/// # Errors
/// One line with the reason.
pub fn loopback_only(address: SocketAddr) -> Result<(), String> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{address} is not loopback, and there is no TLS yet: passwords would cross the network in the clear"
    ))
}

/// Which are offered.
fn mechanisms(
    names: Option<&Spanned<Vec<Spanned<String>>>>,
    anonymous: Option<bool>,
    faults: Faults<'_>,
) -> Result<Vec<Mechanism>, Failure> {
    let mut offered = match names {
        None => DEFAULT_MECHANISMS.to_vec(),
        Some(names) => {
            names.get_ref().iter().map(|name| mechanism(name, faults)).collect::<Result<_, _>>()?
        }
    };
    if anonymous == Some(true) && !offered.contains(&Mechanism::Anonymous) {
        offered.push(Mechanism::Anonymous);
    }
    match names {
        Some(names) if offered.is_empty() => {
            let help = "leave it away for SCRAM-SHA-256, SCRAM-SHA-1 and PLAIN".to_owned();
            Err(faults.at(names.span(), "mechanisms: nobody can log in without one".to_owned(), Some(help)))
        }
        Some(_) | None => Ok(offered),
    }
}

fn mechanism(name: &Spanned<String>, faults: Faults<'_>) -> Result<Mechanism, Failure> {
    let known = [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain, Mechanism::Anonymous];
    Mechanism::parse(name.get_ref()).ok_or_else(|| {
        let what = format!("unknown mechanism `{}`", name.get_ref());
        faults.at(name.span(), what, one_of(name.get_ref(), &known.map(Mechanism::as_str)))
    })
}

/// A domain, prepared.
fn domain(key: &str, text: &Spanned<String>, faults: Faults<'_>) -> Result<String, Failure> {
    let domain = router::domain(text.get_ref());
    let domain = domain.map_err(|what| faults.at(text.span(), format!("{key}: {what}"), None))?;
    Ok(domain.as_str().to_owned())
}

/// Further domains, each once.
fn virtual_hosts(
    first: &str,
    written: &[Spanned<String>],
    faults: Faults<'_>,
) -> Result<Vec<String>, Failure> {
    let mut hosts: Vec<String> = Vec::with_capacity(written.len());
    for text in written {
        let host = domain("virtual_hosts", text, faults)?;
        let fault = |what: String| Err(faults.at(text.span(), format!("virtual_hosts: {what}"), None));
        if host == first || hosts.contains(&host) {
            return fault(format!("`{host}` is there twice, `domain` included"));
        }
        if hosts.len() + 1 >= DOMAINS_MAX {
            return fault(format!("more than {DOMAINS_MAX} domains"));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// An administrator is an account of this server: nobody else can be known to be one.
fn admin(admin: Spanned<String>, domains: &[&str], faults: Faults<'_>) -> Result<String, Failure> {
    let jid = Jid::parse(admin.get_ref()).ok();
    let is_ours = |jid: &Jid| {
        let jid = jid.as_ref();
        jid.is_bare() && jid.local().is_some() && domains.contains(&jid.domain())
    };
    match jid.filter(is_ours) {
        Some(jid) => Ok(jid.as_str().to_owned()),
        None => {
            let what = format!("admins: `{}` is no account of {}", admin.get_ref(), domains.join(" or "));
            Err(faults.at(admin.span(), what, Some(format!("for instance \"admin@{}\"", domains[0]))))
        }
    }
}

/// How addresses are prepared, from here on.
fn address_profile(word: &Spanned<String>, faults: Faults<'_>) -> Result<(), Failure> {
    let fault = |what: String, help| Err(faults.at(word.span(), what, help));
    let Some(profile) = AddressProfile::parse(word.get_ref()) else {
        let known = [AddressProfile::Stringprep, AddressProfile::Precis].map(AddressProfile::as_str);
        return fault(
            format!("addresses: unknown rules `{}`", word.get_ref()),
            one_of(word.get_ref(), &known),
        );
    };
    if profile.choose() {
        return Ok(());
    }
    let chosen = AddressProfile::chosen().as_str();
    fault(format!("addresses: this process has prepared some by `{chosen}` already"), None)
}

fn conflict(word: &Spanned<String>, faults: Faults<'_>) -> Result<ConflictPolicy, Failure> {
    match word.get_ref().as_str() {
        "replace" => Ok(ConflictPolicy::Replace),
        "assign-other" => Ok(ConflictPolicy::AssignOther),
        "refuse" => Ok(ConflictPolicy::Refuse),
        other => {
            let known = ["replace", "assign-other", "refuse"];
            Err(faults.at(word.span(), format!("unknown conflict policy `{other}`"), one_of(other, &known)))
        }
    }
}

/// `did you mean …?`, or all that there is.
fn one_of(word: &str, known: &[&str]) -> Option<String> {
    let likeness = |known: &&&str| strsim::jaro_winkler(&word.to_lowercase(), &known.to_lowercase());
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    if likeness(&nearest) > 0.8 {
        return Some(format!("did you mean `{nearest}`?"));
    }
    Some(format!("there is: {}", known.join(", ")))
}

/// Turns a span into a place.
#[derive(Debug, Clone, Copy)]
struct Faults<'a> {
    text: &'a str,
    name: &'a str,
}

impl Faults<'_> {
    fn at(self, span: Range<usize>, what: String, help: Option<String>) -> Failure {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let what = format!("{}:{line}:{column}: {what}", self.name);
        Failure { exit: Exit::Usage, errors: vec![Complaint { what, help }] }
    }

    /// The parser names an unknown key and the known ones, each in backticks, the unknown one first.
    fn of_toml(self, error: &toml::de::Error) -> Failure {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        let mut names = message.split('`').skip(1).step_by(2);
        let (what, help) = match (message.starts_with("unknown field"), names.next()) {
            (true, Some(unknown)) => {
                (format!("unknown key `{unknown}`"), one_of(unknown, &names.collect::<Vec<_>>()))
            }
            _ => (message, None),
        };
        self.at(error.span().unwrap_or(0..0), what, help)
    }
}

#[cfg(test)]
mod tests;
