//! From a TOML document to a [`Scenario`]: the root, `[target]` and `[[slo]]`.
//!
//! [`super::users`] reads the users, [`super::phases`] the phases. The words of the grammar stand beside the function that reads them.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields::{Faults, Fields, Words, suggest};
use super::files::Files;
use super::units;
use super::{Phase, PhaseKind, Scenario, TargetSpec};
use crate::metrics::{Bound, Metric, Slo, Unit};
use crate::stanza::Jid;

const ROOT: Words = Words {
    known: &["name", "seed", "target", "users", "phase", "slo"],
    later: &["user_class", "mix", "s2s", "distribute", "teardown", "speedup"],
};

/// `None` only when `faults` has something to say.
pub(super) fn scenario(
    root: &Spanned<DeTable<'_>>,
    text: &str,
    mut files: Files<'_>,
    faults: &mut Faults<'_>,
) -> Option<Scenario> {
    let root = Fields::open_table(root.get_ref(), 0..0, "the scenario".to_owned(), ROOT, faults);
    for (key, example) in
        [("name", "\"smoke\""), ("target", "{ server = \"embedded\", domain = \"bench.local\" }")]
    {
        root.require(key, example, faults);
    }
    root.require("users", "{ count = 100 }", faults);
    root.require("phase", "[ … ]", faults);
    let name = root.text("name", faults);
    let seed = root.integer("seed", 0..=i64::MAX.unsigned_abs(), faults).unwrap_or(0);
    let target = root.get("target").and_then(|v| target(v, faults));
    let embedded = target.as_ref().is_some_and(|t| t.server == "embedded");
    let users = root.get("users").and_then(|v| super::users::users(v, embedded, &mut files, faults));
    let phases = super::phases::phases(&root, faults);
    let slos = match phases.as_deref() {
        Some(phases) => slos(&root, phases, faults),
        None => None,
    };
    let (Some(name), Some(target), Some(users), Some(phases), Some(slos)) =
        (name, target, users, phases, slos)
    else {
        return None;
    };
    let (name, text, files) = (name.to_owned(), text.to_owned(), files.into_read());
    Some(Scenario { name, seed, target, users, phases, slos, text, files })
}

const TARGET: Words = Words {
    known: &["server", "domain", "source_ips"],
    later: &["muc", "pubsub", "tls", "transport", "csv"],
};

fn target<'t>(value: &'t Spanned<DeValue<'t>>, faults: &mut Faults<'_>) -> Option<TargetSpec> {
    let fields = Fields::open(value, "`target`", TARGET, faults)?;
    fields.require("server", "\"embedded\"", faults);
    fields.require("domain", "\"bench.local\"", faults);
    let server = fields.text("server", faults);
    let domain = fields.text("domain", faults);
    for (key, text) in [("server", server), ("domain", domain)] {
        if text.is_some_and(|t| t.trim().is_empty()) {
            faults.add(fields.value_span(key), format!("`{key}` is empty"), None);
        } else if let Some(text) = text.filter(|text| key == "domain" && !is_domain(text)) {
            faults.add(fields.value_span(key), format!("`{text}` is no domain"), None);
        }
    }
    let source_ips = fields.parsed("source_ips", faults, units::addresses).unwrap_or_default();
    let server_place = faults.place(fields.value_span("server").start);
    Some(TargetSpec { server: server?.to_owned(), server_place, domain: domain?.to_owned(), source_ips })
}

fn is_domain(text: &str) -> bool {
    Jid::parse(text).is_ok_and(|jid| jid.as_ref().local().is_none() && jid.as_ref().resource().is_none())
}

const SLO: Words = Words { known: &["phase", "metric", "max", "min"], later: &["class", "abort"] };

fn slos(root: &Fields<'_>, phases: &[Phase], faults: &mut Faults<'_>) -> Option<Vec<Slo>> {
    if root.get("slo").is_none() {
        return Some(Vec::new());
    }
    let values = root.array("slo", faults)?;
    let slos: Vec<Slo> = values.iter().filter_map(|v| slo(v, phases, faults)).collect();
    Some(slos)
}

fn slo<'t>(value: &'t Spanned<DeValue<'t>>, phases: &[Phase], faults: &mut Faults<'_>) -> Option<Slo> {
    let fields = Fields::open(value, "`slo`", SLO, faults)?;
    fields.require("metric", "\"chat.response.p99\"", faults);
    let phase = fields.text("phase", faults);
    let named = phase.and_then(|name| phases.iter().find(|p| p.name == name));
    if let (Some(name), None) = (phase, named) {
        let help = suggest(name, phases.iter().map(|p| p.name.as_str()));
        faults.add(fields.value_span("phase"), format!("no phase is named `{name}`"), help);
    }
    if named.is_some_and(|p| !p.measure) {
        let help = Some("leave `measure = false` away there".to_owned());
        faults.add(fields.value_span("phase"), "this phase is not measured", help);
    }
    let metric = match Metric::parse(fields.text("metric", faults)?) {
        Ok(metric) => metric,
        Err(error) => {
            let help = match &error.nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "such as chat.response.p99, presence.missing, achieved_ratio".to_owned(),
            };
            faults.add(fields.value_span("metric"), error.to_string(), Some(help));
            return None;
        }
    };
    let considered = phases.iter().filter(|p| phase.is_none_or(|name| p.name == name) && p.measure);
    if let Some(missing) = lacks_action(&metric, considered) {
        faults.add(fields.value_span("metric"), missing, None);
    }
    let bound = bound(&fields, &metric, faults)?;
    Some(Slo { phase: phase.map(str::to_owned), metric, bound })
}

/// What the phases lack for the metric to have a value.
fn lacks_action<'p>(metric: &Metric, phases: impl Iterator<Item = &'p Phase>) -> Option<String> {
    if *metric == Metric::lost_connections() {
        return None;
    }
    let wanted = metric.action();
    let any = phases.into_iter().any(|phase| match (&phase.kind, wanted) {
        (PhaseKind::Login(_), Some(action)) => action == "login",
        (PhaseKind::Login(_), None) => false,
        (PhaseKind::Load { .. }, Some("reconnect")) => phase.breaks.is_some(),
        (PhaseKind::Load { actions, .. }, None) => actions.iter().any(|a| a.rate.is_some()),
        (PhaseKind::Load { actions, .. }, Some(action)) => {
            actions.iter().any(|a| a.action.as_str() == action)
        }
    });
    (!any).then(|| match wanted {
        Some("reconnect") => format!("`{}`: no measured phase here has a `break`", metric.name()),
        Some(action) => format!("`{}`: no measured phase here does `{action}`", metric.name()),
        None => format!("`{}`: no measured phase here does anything", metric.name()),
    })
}

fn bound(fields: &Fields<'_>, metric: &Metric, faults: &mut Faults<'_>) -> Option<Bound> {
    let (max, min) = (fields.get("max"), fields.get("min"));
    if max.is_some() == min.is_some() {
        faults.add(fields.span(), "an SLO has either `max` or `min`", None);
        return None;
    }
    match (metric.unit(), max) {
        (Unit::Duration, Some(_)) => {
            let max = fields.parsed("max", faults, units::duration)?;
            Some(Bound::MaxNs(u64::try_from(max.as_nanos()).expect("at most 1e18 ns")))
        }
        (Unit::Duration, None) => {
            faults.add(fields.key_span("min"), "a latency has a `max`, not a `min`", None);
            None
        }
        (Unit::Number, Some(_)) => fields.number("max", " of this metric", faults).map(Bound::Max),
        (Unit::Number, None) => fields.number("min", " of this metric", faults).map(Bound::Min),
    }
}
