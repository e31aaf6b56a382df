// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Counters in the text form of Prometheus (exposition format 0.0.4).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use evtpm_api::MachineState;

/// The verdicts that are counted, by their words.
const VERDICTS: [&str; 5] = ["trusted", "untrusted", "unknown", "stale", "audit"];

/// Upper bounds of the classes of round times, in microseconds.
const BOUNDS: [u64; 9] = [250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// Everything that is counted since the process began.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    verdicts: [AtomicU64; VERDICTS.len()],
    classes: [AtomicU64; BOUNDS.len()],
    rounds: AtomicU64,
    microseconds: AtomicU64,
    pub(crate) registrations: AtomicU64,
    pub(crate) refused_registrations: AtomicU64,
    pub(crate) clone_alarms: AtomicU64,
    pub(crate) unreachable: AtomicU64,
    pub(crate) key_releases: AtomicU64,
    pub(crate) leases_ended: AtomicU64,
}

impl Metrics {
    /// Counts a round with its verdict, and the time from the evidence to the durable record.
    pub(crate) fn round(&self, verdict: &str, took: Duration) {
        if let Some(counter) = VERDICTS.iter().position(|word| *word == verdict).and_then(|at| self.verdicts.get(at)) {
            counter.fetch_add(1, Relaxed);
        }
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.rounds.fetch_add(1, Relaxed);
        self.microseconds.fetch_add(took, Relaxed);
        for (_, class) in BOUNDS.iter().zip(&self.classes).filter(|(bound, _)| took <= **bound) {
            class.fetch_add(1, Relaxed);
        }
    }

    /// Writes all of it, with the number of machines in each state.
    pub(crate) fn show(&self, machines: &[(MachineState, usize)]) -> String {
        let mut text = String::new();
        let one = |counter: &AtomicU64| [(String::new(), counter.load(Relaxed))];
        let verdicts = VERDICTS.iter().zip(&self.verdicts);
        let verdicts: Vec<_> =
            verdicts.map(|(word, count)| (format!("{{verdict=\"{word}\"}}"), count.load(Relaxed))).collect();
        family(&mut text, "rounds_total", "counter", "Rounds by verdict.", &verdicts);
        let classes = BOUNDS.iter().zip(&self.classes);
        let mut classes: Vec<_> = classes
            .map(|(bound, count)| (format!("_bucket{{le=\"{}\"}}", seconds(*bound)), count.load(Relaxed)))
            .collect();
        let rounds = self.rounds.load(Relaxed);
        classes.push(("_bucket{le=\"+Inf\"}".into(), rounds));
        classes.push(("_count".into(), rounds));
        family(&mut text, "round_seconds", "histogram", "From the evidence to the durable record.", &classes);
        let sum = seconds(self.microseconds.load(Relaxed));
        text.push_str(&format!("evtpm_round_seconds_sum {sum}\n"));
        family(&mut text, "registrations_total", "counter", "Boots that registered.", &one(&self.registrations));
        let refused = one(&self.refused_registrations);
        family(&mut text, "registrations_refused_total", "counter", "Registrations that were refused.", &refused);
        family(&mut text, "clone_alarms_total", "counter", "Revoked keys that were alive.", &one(&self.clone_alarms));
        family(
            &mut text,
            "unreachable_total",
            "counter",
            "Agents that did not answer a question.",
            &one(&self.unreachable),
        );
        family(&mut text, "key_releases_total", "counter", "Keys that were released.", &one(&self.key_releases));
        family(&mut text, "leases_ended_total", "counter", "Leases of keys that ended.", &one(&self.leases_ended));
        let machines: Vec<_> = machines
            .iter()
            .map(|(state, count)| {
                (format!("{{state=\"{}\"}}", state.name()), u64::try_from(*count).unwrap_or(u64::MAX))
            })
            .collect();
        family(&mut text, "machines", "gauge", "Machines by state.", &machines);
        text
    }
}

/// Writes one family of samples.
fn family(text: &mut String, name: &str, kind: &str, help: &str, lines: &[(String, u64)]) {
    text.push_str(&format!("# HELP evtpm_{name} {help}\n# TYPE evtpm_{name} {kind}\n"));
    for (labels, value) in lines {
        text.push_str(&format!("evtpm_{name}{labels} {value}\n"));
    }
}

fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_counted_by_verdict_and_by_time() {
        let metrics = Metrics::default();
        metrics.round("trusted", Duration::from_micros(300));
        metrics.round("untrusted", Duration::from_secs(5));
        let text = metrics.show(&[(MachineState::Healthy, 1)]);
        for line in [
            "evtpm_rounds_total{verdict=\"trusted\"} 1",
            "evtpm_round_seconds_bucket{le=\"0.000250\"} 0",
            "evtpm_round_seconds_bucket{le=\"0.000500\"} 1",
            "evtpm_round_seconds_bucket{le=\"1.000000\"} 1",
            "evtpm_round_seconds_bucket{le=\"+Inf\"} 2",
            "evtpm_round_seconds_sum 5.000300",
            "evtpm_machines{state=\"healthy\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn every_sample_has_a_type_before_it() {
        let text = Metrics::default().show(&[]);
        let mut typed = String::new();
        for line in text.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(rest) => typed = rest.split(' ').next().unwrap().to_owned(),
                None => assert!(line.starts_with("# HELP") || line.starts_with(&typed), "{line}"),
            }
        }
    }
}
