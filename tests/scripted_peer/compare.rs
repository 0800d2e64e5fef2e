//! Holds a report against an expectation and names every difference.
//!
//! It reads `result.json` as a stranger would: by field names, and the histograms with the HdrHistogram library.

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

use super::expect::{Expected, Sample};

/// Percentiles of a report, as parts of a thousand.
const PERCENTILES: [(&str, u64); 5] =
    [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1_000)];

/// By which part a reported percentile may differ from the computed one: one hundredth.
const TOLERANCE: u64 = 100;

/// Every difference between `report`, one action of a phase, and `expected`.
pub(crate) fn differences(expected: &Expected, report: &Value) -> Vec<String> {
    let mut found = counts(expected, report);
    for (series, samples) in &expected.series {
        found.extend(percentiles(series, samples, expected.lateness_ns, &report["latencies"][series]));
    }
    let received = &report["latencies"]["receive_lag"]["count"];
    if received.as_u64() != Some(expected.received) {
        found.push(format!("receive_lag: {received} samples, {} stanzas were written", expected.received));
    }
    for (second, want) in expected.due_by_second.iter().enumerate() {
        let told = &report["seconds"][second]["intended"];
        if told.as_u64() != Some(*want) {
            found.push(format!("second {second}: {told} due are reported, {want} is true"));
        }
    }
    found.extend(sums(report));
    found
}

/// Only the counts: what does not depend on when anything was.
pub(crate) fn counts(expected: &Expected, report: &Value) -> Vec<String> {
    let differs = |(name, want): (&&str, &u64)| {
        let told = &report["counts"][*name];
        (told.as_u64() != Some(*want)).then(|| format!("{name}: {told} is reported, {want} is true"))
    };
    expected.counts.iter().filter_map(differs).collect()
}

/// `samples` are sorted.
fn percentiles(series: &str, samples: &[Sample], lateness_ns: u64, report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let count = samples.len() as u64;
    let timed_out = samples.iter().filter(|sample| sample.timed_out);
    let unknown_from = timed_out.clone().map(|sample| sample.ns).min();
    for (name, told, want) in [
        ("samples", &report["count"], count),
        ("samples that timed out", &report["timed_out"], timed_out.count() as u64),
    ] {
        if told.as_u64() != Some(want) {
            found.push(format!("{series}: {told} {name} are reported, {want} is true"));
        }
    }
    for (name, per_mille) in PERCENTILES {
        let list = report["percentiles"].as_array().map(Vec::as_slice).unwrap_or_default();
        let told = list.iter().find(|percentile| percentile["name"] == name).unwrap_or(&Value::Null);
        // As few samples as leave at least one above the percentile.
        if count * (1_000 - per_mille) < 1_000 && per_mille < 1_000 {
            if !told["ns"].is_null() {
                found.push(format!("{series}.{name}: {} is reported from {count} samples", told["ns"]));
            }
            continue;
        }
        let rank = (count * per_mille).div_ceil(1_000).max(1);
        let want = samples[usize::try_from(rank - 1).expect("below a length")].ns;
        let is_near =
            told["ns"].as_u64().is_some_and(|ns| ns.abs_diff(want) <= want / TOLERANCE + lateness_ns);
        if !is_near {
            found.push(format!("{series}.{name}: {} ns is reported, {want} ns is true", told["ns"]));
        }
        let at_least = unknown_from.is_some_and(|from| want >= from);
        if told["at_least"].as_bool() != Some(at_least) {
            found.push(format!("{series}.{name}: at_least is {}, not {at_least}", told["at_least"]));
        }
    }
    found
}

/// Whether a report agrees with itself: totals, seconds, and the histograms' buckets.
pub(crate) fn sums(report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or(u64::MAX);
    let seconds = report["seconds"].as_array().map(Vec::as_slice).unwrap_or_default();
    for name in ["intended", "done"] {
        let sum: u64 = seconds.iter().filter_map(|second| second[name].as_u64()).sum();
        if sum != count(name) {
            found.push(format!("{name}: {sum} in all seconds, {} in all", count(name)));
        }
    }
    let ended = count("done") + count("timed_out");
    let each = count("required");
    let latencies = report["latencies"].as_object().into_iter().flatten();
    for (series, distribution) in latencies {
        let told = distribution["count"].as_u64().unwrap_or(u64::MAX);
        let overflow = distribution["overflow"].as_u64().unwrap_or(u64::MAX);
        let buckets = buckets(distribution["hdr"].as_str().unwrap_or_default());
        if buckets + overflow != told {
            found.push(format!("{series}: {buckets} in buckets and {overflow} above them, {told} in all"));
        }
        let want = match series.as_str() {
            "response" | "fanout_complete" | "fanout_first" => ended,
            "fanout_each" => each,
            "send_lag" => count("sent"),
            // All was sent here, so that all has a time from its sending on.
            "service" => ended,
            _ => continue,
        };
        if told != want {
            found.push(format!("{series}: {told} samples, the counts tell of {want}"));
        }
    }
    found
}

/// Samples in a serialised histogram.
fn buckets(text: &str) -> u64 {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64 is base64");
    if bytes.is_empty() {
        return 0;
    }
    let histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram can be read");
    histogram.iter_recorded().map(|bucket| bucket.count_since_last_iteration()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A hundred samples of 1 to 100 ms, the last two timed out, as a true report would have them.
    fn sample() -> (Expected, Value) {
        let mut samples: Vec<Sample> =
            (1..=100u64).map(|n| Sample { ns: n * 1_000_000, timed_out: n > 98 }).collect();
        samples.sort_unstable();
        let counts = [("intended", 100), ("sent", 100), ("done", 98), ("timed_out", 2), ("lost", 2)];
        let expected = Expected {
            counts: counts.into(),
            series: [("response", samples)].into(),
            received: 110,
            due_by_second: vec![60, 40],
            ..Expected::default()
        };
        let percentile = |name: &str, ms: Option<u64>, at_least: bool| json!({ "name": name, "ns": ms.map(|ms| ms * 1_000_000), "at_least": at_least });
        let report = json!({
            "counts": { "intended": 100, "sent": 100, "done": 98, "timed_out": 2, "lost": 2 },
            "seconds": [{ "intended": 60, "done": 50 }, { "intended": 40, "done": 48 }],
            "latencies": { "response": {
                "count": 100, "timed_out": 2, "overflow": 100, "hdr": "",
                "percentiles": [
                    percentile("p50", Some(50), false),
                    percentile("p90", Some(90), false),
                    percentile("p99", Some(99), true),
                    percentile("p99.9", None, false),
                    percentile("max", Some(100), true),
                ],
            }, "receive_lag": { "count": 110, "overflow": 110, "hdr": "" } },
        });
        (expected, report)
    }

    #[test]
    fn a_true_report_has_no_difference() {
        let (expected, mut report) = sample();
        assert_eq!(differences(&expected, &report), [""; 0]);
        // Within a hundredth is true.
        report["latencies"]["response"]["percentiles"][1]["ns"] = json!(90_900_000);
        assert_eq!(differences(&expected, &report), [""; 0]);
    }

    #[test]
    fn every_wrong_number_is_named() {
        let wrong = [
            ("/counts/lost", json!(3), "lost: 3 is reported, 2 is true"),
            ("/counts/sent", json!(null), "sent: null is reported, 100 is true"),
            ("/latencies/response/count", json!(101), "response: 101 samples are reported, 100 is true"),
            (
                "/latencies/receive_lag/count",
                json!(109),
                "receive_lag: 109 samples, 110 stanzas were written",
            ),
            ("/latencies/response/timed_out", json!(1), "response: 1 samples that timed out are reported"),
            (
                "/latencies/response/percentiles/1/ns",
                json!(91_000_000),
                "response.p90: 91000000 ns is reported",
            ),
            (
                "/latencies/response/percentiles/0/ns",
                json!(49_400_000),
                "response.p50: 49400000 ns is reported",
            ),
            ("/latencies/response/percentiles/2/at_least", json!(false), "response.p99: at_least is false"),
            ("/latencies/response/percentiles/1/at_least", json!(true), "response.p90: at_least is true"),
            ("/latencies/response/percentiles/3/ns", json!(5), "response.p99.9: 5 is reported from 100"),
            ("/latencies/response/percentiles/4/name", json!("top"), "response.max: null ns is reported"),
            ("/seconds/0/intended", json!(61), "second 0: 61 due are reported, 60 is true"),
            ("/seconds/0/done", json!(51), "done: 99 in all seconds, 98 in all"),
            ("/seconds/1/intended", json!(0), "intended: 60 in all seconds, 100 in all"),
            ("/latencies/response/overflow", json!(1), "response: 0 in buckets and 1 above them, 100 in all"),
        ];
        for (path, value, message) in wrong {
            let (expected, mut report) = sample();
            *report.pointer_mut(path).unwrap() = value;
            let found = differences(&expected, &report);
            assert!(found.iter().any(|found| found.starts_with(message)), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_wrong_expectation_is_named() {
        let (mut expected, report) = sample();
        expected.counts.insert("duplicated", 0);
        assert_eq!(differences(&expected, &report), ["duplicated: null is reported, 0 is true"]);
        let (mut expected, report) = sample();
        expected
            .series
            .get_mut("response")
            .unwrap()
            .iter_mut()
            .for_each(|sample| sample.ns += sample.ns / 50);
        assert_eq!(differences(&expected, &report).len(), 4, "p50, p90, p99, max");
    }
}
