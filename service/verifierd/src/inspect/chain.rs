// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One machine's chain: from the root of trust to the running system, each link with its bytes and how it stands.
//!
//! How a link stands is what the last appraisal said of it, as it was recorded; nothing is judged here. That root, endorsement
//! keys, report and attestation key were verified is why the boot is registered at all.

mod links;
mod voucher;

use evtpm_api::{ApiFinding, ChainLink, LinkBytes, LinkField, LinkState};
use evtpm_describe::Field;

use super::Shown;
use crate::app::App;
use crate::hex::hex;
use crate::store::{KeptLogs, PresentBoot, Standing};

/// Bytes of one piece of evidence that are shown.
const SHOWN: usize = 4_096;

/// Builds the links of a boot.
pub(crate) fn chain(app: &App, present: &PresentBoot, logs: &KeptLogs) -> Vec<ChainLink> {
    let judged = Judged::of(present);
    let drafts = links::links(app, present, logs, judged.shown.as_ref());
    behind_what_failed(drafts.into_iter().map(|draft| judged.finish(draft)).collect())
}

/// What comes behind evidence that was refused was not looked at; that the policy misses it is no fault of its own.
fn behind_what_failed(mut links: Vec<ChainLink>) -> Vec<ChainLink> {
    let mut refused: Option<String> = None;
    for link in &mut links {
        let is = |finding: &ApiFinding, check: &str| finding.check == check;
        if let Some(before) = &refused
            && link.findings.iter().all(|finding| is(finding, "evidence.missing"))
        {
            link.state = LinkState::Open;
            link.reason = format!("It was not judged: the {before} before it was refused.");
        }
        if link.findings.iter().any(|finding| is(finding, "evidence.refused")) {
            link.findings.retain(|finding| !is(finding, "evidence.missing"));
            refused.get_or_insert_with(|| link.title.to_lowercase());
        }
    }
    links
}

/// A link that does not say yet how it stands.
struct Draft {
    id: &'static str,
    title: String,
    subject: String,
    /// The layer of appraisals that speaks of it; `None` for what registration alone looks at.
    layer: Option<&'static str>,
    /// Why it stands if nothing is held against it.
    good: String,
    /// Why it was not judged.
    open: &'static str,
    fields: Vec<LinkField>,
    bytes: Vec<LinkBytes>,
}

impl Draft {
    fn new(id: &'static str, title: impl Into<String>, subject: impl Into<String>) -> Self {
        Draft {
            id,
            title: title.into(),
            subject: subject.into(),
            layer: None,
            good: String::new(),
            open: "",
            fields: Vec::new(),
            bytes: Vec::new(),
        }
    }

    fn good(self, good: impl Into<String>) -> Self {
        Draft { good: good.into(), ..self }
    }

    fn judged_as(self, layer: &'static str, open: &'static str) -> Self {
        Draft { layer: Some(layer), open, ..self }
    }

    fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push(LinkField { name: name.to_owned(), value: value.into(), note: String::new() });
        self
    }

    /// Adds what a decoder read, or why it could not.
    fn fields(mut self, fields: Result<Vec<Field>, evtpm_describe::Error>) -> Self {
        match fields {
            Ok(fields) => self.fields.extend(fields.into_iter().map(|field| LinkField {
                name: field.name.to_owned(),
                value: field.text(),
                note: field.note,
            })),
            Err(error) => return self.field("malformed", error.to_string()),
        }
        self
    }

    fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let shown = hex(bytes.get(..SHOWN).unwrap_or(bytes));
        self.bytes.push(LinkBytes { name: name.to_owned(), size, hex: shown });
        self
    }
}

/// What the last appraisal said.
struct Judged {
    shown: Option<Shown>,
    findings: Vec<ApiFinding>,
}

impl Judged {
    fn of(present: &PresentBoot) -> Self {
        let read = |standing: &Standing| serde_json::from_str(&standing.findings).ok();
        Judged {
            shown: present.shown.as_deref().and_then(|shown| serde_json::from_str(shown).ok()),
            findings: present.boot.standing.as_ref().and_then(read).unwrap_or_default(),
        }
    }

    fn finish(&self, draft: Draft) -> ChainLink {
        let findings: Vec<ApiFinding> =
            self.findings.iter().filter(|finding| link_of(finding) == draft.id).cloned().collect();
        let was_judged = match (draft.layer, &self.shown) {
            (None, _) => true,
            (Some(layer), Some(shown)) => shown.layers.iter().any(|judged| judged == layer),
            (Some(_), None) => false,
        };
        let (state, reason) = match findings.first() {
            Some(worst) => (state_of(&worst.severity), reason(worst)),
            None if was_judged => (LinkState::Good, draft.good),
            None => (LinkState::Open, draft.open.to_owned()),
        };
        ChainLink {
            id: draft.id.to_owned(),
            title: draft.title,
            subject: draft.subject,
            state,
            reason,
            findings,
            fields: draft.fields,
            bytes: draft.bytes,
        }
    }
}

/// A refusal's reason stands in `actual`.
fn reason(finding: &ApiFinding) -> String {
    match finding.check.as_str() {
        "evidence.refused" => format!("Refused: {}.", finding.actual),
        _ => finding.message.clone(),
    }
}

fn state_of(severity: &str) -> LinkState {
    match severity {
        "failure" => LinkState::Bad,
        "notice" => LinkState::Good,
        _ => LinkState::Warning,
    }
}

/// The link that a finding is about.
fn link_of(finding: &ApiFinding) -> &'static str {
    match (finding.check.as_str(), finding.layer.as_str()) {
        ("snp.root", _) => "root",
        ("snp.revocation" | "snp.signer" | "snp.tcb", _) => "vcek",
        ("tpm.attestation-key", _) => "ak",
        (_, "azure") => "paravisor",
        (_, "tpm") => "quote",
        (_, "boot") => "boot-log",
        (_, "runtime") => "ima",
        _ => "report",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &str, layer: &str, severity: &str) -> ApiFinding {
        let (check, layer, severity) = (check.to_owned(), layer.to_owned(), severity.to_owned());
        let message = format!("{check}.");
        ApiFinding {
            check,
            layer,
            severity,
            message,
            expected: String::new(),
            actual: "why".into(),
            suggestion: String::new(),
        }
    }

    fn judged(layers: &[&str], findings: Vec<ApiFinding>) -> Judged {
        let layers = layers.iter().map(|layer| (*layer).to_owned()).collect();
        let (message, signature, pcrs) = Default::default();
        Judged { shown: Some(Shown { layers, quote_verified: true, message, signature, pcrs }), findings }
    }

    fn stands(judged: &Judged, id: &'static str, layer: Option<&'static str>) -> (LinkState, String) {
        let draft = Draft { layer, ..Draft::new(id, id, "").good("fine") };
        let link = judged.finish(Draft { open: "not judged", ..draft });
        (link.state, link.reason)
    }

    #[test]
    fn a_link_stands_as_the_worst_finding_about_it_says() {
        let findings = vec![finding("runtime.file", "runtime", "failure"), finding("snp.root", "snp", "warning")];
        let judged = judged(&["snp", "tpm", "boot", "runtime"], findings);
        assert_eq!(stands(&judged, "ima", Some("runtime")), (LinkState::Bad, "runtime.file.".into()));
        assert_eq!(stands(&judged, "root", Some("snp")), (LinkState::Warning, "snp.root.".into()));
        assert_eq!(stands(&judged, "boot-log", Some("boot")), (LinkState::Good, "fine".into()));
        assert_eq!(stands(&judged, "ek", None), (LinkState::Good, "fine".into()));
    }

    #[test]
    fn what_the_appraisal_did_not_reach_is_open_and_not_good() {
        let judged = judged(&["snp", "tpm"], vec![finding("evidence.refused", "tpm", "failure")]);
        assert_eq!(stands(&judged, "boot-log", Some("boot")), (LinkState::Open, "not judged".into()));
        assert_eq!(stands(&judged, "quote", Some("tpm")).1, "Refused: why.");
    }

    #[test]
    fn what_stands_behind_refused_evidence_is_open() {
        let findings = vec![
            finding("evidence.refused", "boot", "failure"),
            finding("evidence.missing", "boot", "missing"),
            finding("evidence.missing", "runtime", "missing"),
        ];
        let judged = judged(&["snp", "tpm", "boot", "runtime"], findings);
        let link = |id, layer| judged.finish(Draft { layer: Some(layer), ..Draft::new(id, id, "") });
        let links = behind_what_failed(vec![link("quote", "tpm"), link("boot-log", "boot"), link("ima", "runtime")]);
        let states: Vec<_> = links.iter().map(|link| (link.state, link.findings.len())).collect();
        assert_eq!(states, [(LinkState::Good, 0), (LinkState::Bad, 1), (LinkState::Open, 1)]);
    }

    #[test]
    fn a_notice_leaves_a_link_good_and_what_is_missing_does_not() {
        assert_eq!(state_of("notice"), LinkState::Good);
        for severity in ["warning", "stale", "missing"] {
            assert_eq!(state_of(severity), LinkState::Warning, "{severity}");
        }
    }
}
