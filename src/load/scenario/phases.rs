//! The phases of a scenario: logins, and actions at a rate.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Faults, Fields, Words};
use super::{Action, ActionSpec, Arrival, Phase, PhaseKind, Recipients, Shape, Show};
use super::{breaks, rates, units};
use crate::limits::{CHAT_BODY_BYTES_MAX, PHASE_ACTIONS_MAX, PHASE_DURATION_MAX, PHASES_MAX};

/// How long a login phase may take when it does not say.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(120);
/// How long unanswered operations are waited for when the phase does not say.
const DRAIN: Duration = Duration::from_secs(10);
/// Body of a message when the action does not say.
const BODY_BYTES: u32 = 64;

/// `None` only when `faults` has something to say.
pub(super) fn phases(root: &Fields<'_>, faults: &mut Faults<'_>) -> Option<Vec<Phase>> {
    let values = root.array("phase", faults)?;
    if values.is_empty() || values.len() > PHASES_MAX {
        faults.add(root.value_span("phase"), format!("a scenario has 1 to {PHASES_MAX} phases"), None);
        return None;
    }
    let mut phases: Vec<Phase> = Vec::new();
    let mut sound = true;
    for (index, value) in values.iter().enumerate() {
        let Some(phase) = phase(value, index, faults) else {
            sound = false;
            continue;
        };
        if phases.iter().any(|p| p.name == phase.name) {
            faults.add(value.span(), format!("a second phase is named `{}`", phase.name), None);
        }
        phases.push(phase);
    }
    sound.then_some(phases)
}

const PHASE: Words = Words {
    known: &["name", "arrive", "duration", "measure", "do", "drain", "break"],
    later: &["mix", "find_max", "repeat", "speedup", "steps"],
};

fn phase<'t>(value: &'t Spanned<DeValue<'t>>, index: usize, faults: &mut Faults<'_>) -> Option<Phase> {
    let fields = Fields::open(value, "`phase`", PHASE, faults)?;
    fields.require("name", "\"steady\"", faults);
    let name = fields.text("name", faults);
    let drain = fields.parsed("drain", faults, phase_duration).unwrap_or(DRAIN);
    let measure = fields.flag("measure", faults).unwrap_or(true);
    let kind = match (fields.get("arrive"), index) {
        (Some(value), 0) => {
            for key in ["duration", "do", "break"] {
                if fields.get(key).is_some() {
                    let what = format!("`{key}` beside `arrive` is not built yet");
                    let help = Some("give it a phase of its own behind this one".to_owned());
                    faults.add(fields.key_span(key), what, help);
                }
            }
            PhaseKind::Login(arrival(value, faults)?)
        }
        (Some(_), _) => {
            let help = Some("supported: one login phase, the first one".to_owned());
            faults.add(fields.key_span("arrive"), "`arrive` in a later phase is not built yet", help);
            return None;
        }
        (None, 0) => {
            let help = "such as `arrive = { rate = \"200/s\", until = \"all-ready\" }`".to_owned();
            faults.add(fields.span(), "the first phase must log the users in: it lacks `arrive`", Some(help));
            return None;
        }
        (None, _) => load(&fields, faults)?,
    };
    let breaks = match &kind {
        PhaseKind::Load { duration, actions } => breaks::breaks(&fields, *duration, actions, faults),
        PhaseKind::Login(_) => None,
    };
    Some(Phase { name: name?.to_owned(), measure, drain, kind, breaks })
}

pub(super) fn phase_duration(text: &str) -> Result<Duration, String> {
    let duration = units::duration(text)?;
    if duration > PHASE_DURATION_MAX {
        return Err(format!("`{text}` is above {} h", PHASE_DURATION_MAX.as_secs() / 3600));
    }
    Ok(duration)
}

const SHAPE: Words = Words { known: &["constant", "poisson"], later: &["linear", "uniform"] };
const SHAPES: [Shape; 2] = [Shape::Constant, Shape::Poisson];
const ARRIVE: Words = Words {
    known: &["rate", "shape", "until", "timeout", "at_once"],
    later: &["action", "rooms", "occupants", "class", "share"],
};
const UNTIL: Words = Words { known: &["all-ready"], later: &["all-joined"] };

fn arrival<'t>(value: &'t Spanned<DeValue<'t>>, faults: &mut Faults<'_>) -> Option<Arrival> {
    let fields = Fields::open(value, "`arrive`", ARRIVE, faults)?;
    let at_once = fields.flag("at_once", faults).unwrap_or(false);
    let rate = rates::rate(&fields, faults);
    match (at_once, fields.get("rate").is_some()) {
        (true, true) => faults.add(fields.key_span("rate"), "either `rate` or `at_once = true`", None),
        (false, false) => fields.require("rate", "\"200/s\"", faults),
        (true, false) | (false, true) => {}
    }
    fields.word("until", UNTIL, &[()], faults);
    let shape = fields.word("shape", SHAPE, &SHAPES, faults).unwrap_or_default();
    let timeout = fields.parsed("timeout", faults, phase_duration).unwrap_or(LOGIN_TIMEOUT);
    Some(Arrival { rate, shape, timeout })
}

fn load(fields: &Fields<'_>, faults: &mut Faults<'_>) -> Option<PhaseKind> {
    fields.require("duration", "\"30s\"", faults);
    let duration = fields.parsed("duration", faults, phase_duration);
    if duration.is_some_and(|d| d.is_zero()) {
        faults.add(fields.value_span("duration"), "a phase lasts longer than nothing", None);
    }
    let mut actions: Vec<ActionSpec> = Vec::new();
    if fields.get("do").is_some() {
        let values = fields.array("do", faults)?;
        if values.len() > PHASE_ACTIONS_MAX {
            let what = format!("a phase does {PHASE_ACTIONS_MAX} actions at most");
            faults.add(fields.value_span("do"), what, None);
        }
        for value in values {
            let Some(action) = action(value, faults) else { continue };
            if actions.iter().any(|a| a.action == action.action) {
                let what = format!("`{}` twice in one phase is not built yet", action.action.as_str());
                faults.add(value.span(), what, Some("add the rates up".to_owned()));
            }
            actions.push(action);
        }
    }
    Some(PhaseKind::Load { duration: duration?, actions })
}

const DO: Words = Words {
    known: &["action", "rate", "shape", "size", "to", "show"],
    later: &["from", "room", "rooms", "class", "think", "weight", "closed"],
};
const ACTION: Words = Words {
    known: &["chat", "presence", "ping", "idle", "roster_get"],
    later: &[
        "muc_join",
        "muc_message",
        "muc_nick",
        "muc_leave",
        "roster_set",
        "disco",
        "vcard",
        "mam",
        "pubsub_publish",
        "raw",
    ],
};
const TO: Words =
    Words { known: &["contact", "online", "any"], later: &["local", "remote", "offline", "room"] };
const SHOW: Words = Words { known: &["available", "away", "chat", "dnd", "xa"], later: &[] };
const SHOWS: [Show; 5] = [Show::Available, Show::Away, Show::Chat, Show::Dnd, Show::Xa];

fn action<'t>(value: &'t Spanned<DeValue<'t>>, faults: &mut Faults<'_>) -> Option<ActionSpec> {
    let fields = Fields::open(value, "`do`", DO, faults)?;
    fields.require("action", "\"chat\"", faults);
    let action = fields.word("action", ACTION, &Action::ALL, faults);
    let rate = rates::rate(&fields, faults);
    if action != Some(Action::Idle) {
        fields.require("rate", "\"100/s\"", faults);
    }
    let fits: &[&str] = match action {
        Some(Action::Chat) => &["action", "rate", "shape", "size", "to"],
        Some(Action::Presence) => &["action", "rate", "shape", "show"],
        Some(Action::Ping | Action::RosterGet) => &["action", "rate", "shape"],
        Some(Action::Idle) => &["action"],
        None => DO.known,
    };
    for key in DO.known.iter().filter(|k| !fits.contains(k) && fields.get(k).is_some()) {
        let what = format!("`{key}` means nothing to `{}`", action.map_or("", Action::as_str));
        faults.add(fields.key_span(key), what, Some(format!("known there: {}", fits.join(", "))));
    }
    let to = [Recipients::Contact, Recipients::Online, Recipients::Any];
    Some(ActionSpec {
        rate,
        shape: fields.word("shape", SHAPE, &SHAPES, faults).unwrap_or_default(),
        size_bytes: size(&fields, faults).unwrap_or(BODY_BYTES),
        to: fields.word("to", TO, &to, faults).unwrap_or(Recipients::Contact),
        show: shows(&fields, faults).unwrap_or_else(|| SHOWS.to_vec()),
        action: action?,
    })
}

fn size(fields: &Fields<'_>, faults: &mut Faults<'_>) -> Option<u32> {
    if fields.get("size")?.get_ref().is_table() {
        let help = Some("supported: one size, such as \"128B\"".to_owned());
        faults.add(fields.value_span("size"), "a spread of sizes is not built yet", help);
        return None;
    }
    fields.parsed("size", faults, |text| units::size(text, CHAT_BODY_BYTES_MAX))
}

fn shows(fields: &Fields<'_>, faults: &mut Faults<'_>) -> Option<Vec<Show>> {
    fields.get("show")?;
    let values = fields.array("show", faults)?;
    if values.is_empty() {
        faults.add(fields.value_span("show"), "`show` names one availability at least", None);
        return None;
    }
    let mut shows = Vec::new();
    for value in values {
        let word = value.get_ref().as_str().unwrap_or_default();
        match SHOW.known.iter().position(|k| *k == word) {
            Some(i) => shows.push(SHOWS[i]),
            None => faults.add_word(value.span(), "show value", word, SHOW),
        }
    }
    Some(shows)
}
