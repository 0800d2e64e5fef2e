//! Rates: one that stays, or a ramp.

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Faults, Fields, Words};
use super::phases::phase_duration;
use super::{Pace, units};

const RAMP: Words = Words { known: &["from", "to", "over"], later: &["shape"] };

/// `rate = "500/s"`, or `rate = { from = "100/s", to = "5000/s", over = "20s" }`.
pub(super) fn rate(fields: &Fields<'_>, faults: &mut Faults<'_>) -> Option<Pace> {
    let value = fields.get("rate")?;
    match value.get_ref().is_table() {
        true => ramp(value, faults),
        false => fields.parsed("rate", faults, units::rate).map(Pace::Steady),
    }
}

fn ramp<'t>(value: &'t Spanned<DeValue<'t>>, faults: &mut Faults<'_>) -> Option<Pace> {
    let fields = Fields::open(value, "`rate`", RAMP, faults)?;
    fields.require("from", "\"100/s\"", faults);
    fields.require("to", "\"5000/s\"", faults);
    let over = fields.parsed("over", faults, phase_duration);
    if over.is_some_and(|over| over.is_zero()) {
        faults.add(fields.value_span("over"), "a ramp lasts longer than nothing", None);
    }
    let (from, to) = (fields.parsed("from", faults, units::rate), fields.parsed("to", faults, units::rate));
    Some(Pace::Ramp { from: from?, to: to?, over })
}
