// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The steps in which belief grows, over files: report, endorsement key, attestation key, quote, boot, running system.
//!
//! A step that fails ends its own branch and is noted; what does not rest on it is still looked at.

use std::borrow::Cow;
use std::fmt::Display;

use evtpm_appraise::{Claims, ClaimsError, Layer};
use evtpm_evidence::go_tpm_tools::{self, CertifiedBlob};
use evtpm_evidence::uvm::Endorsement;
use evtpm_logs::ima::{AsciiList, BinaryList};
use evtpm_verify::endorsement::{self, LaunchEndorsement};
use evtpm_verify::evtpm::{Binding, BoundEk, SvsmNonce, bind};
use evtpm_verify::gce::{self, CertifiedKey};
use evtpm_verify::logs::{Keyring, MeasuredBoot, MeasuredRuntime, RuntimeRules};
use evtpm_verify::snp::{self, SnpClaims};
use evtpm_verify::tpm::{AkPublic, Certifier, CertifyEvidence, Issued, Quote, QuoteEvidence, TrustedAk};
use evtpm_verify::{Root, Vendor, Verified};
use serde::Serialize;

use super::args::{Certification, Evidence, Manifest, ManifestVersion, QuoteFiles};
use super::canonical;
use super::facts::{self, Fact};
use super::hardware::{self, inner_report};
use super::pcrs::PcrValues;
use crate::bundle::material::Part;
use crate::bundle::role::GOOGLE_ENDORSEMENT;
use crate::file;
use crate::output::hex;

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Proven.
    Verified,
    /// Believed because the operator says so.
    Named,
    /// Disproven, or not proven though it was claimed.
    Refused,
    /// Not looked at, since it rests on a step that was refused.
    NotReached,
}

impl State {
    /// Names the state as JSON does.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Named => "named",
            Self::Refused => "refused",
            Self::NotReached => "not reached",
        }
    }
}

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// What was looked at.
    pub(crate) what: &'static str,
    pub(crate) state: State,
    /// What was proven and by whom, or why not.
    pub(crate) detail: String,
}

/// What came of verification; nothing of it is judged yet.
#[derive(Debug, Default)]
pub(crate) struct Verification {
    pub(crate) steps: Vec<Step>,
    pub(crate) facts: Vec<Fact>,
    /// What the reader must not take for checked.
    pub(crate) not_checked: Vec<String>,
    pub(crate) claims: Claims,
    /// The verified report, until a later step takes it.
    pub(super) report: Option<Verified<SnpClaims>>,
}

/// Follows the chain as far as the evidence goes; `keyring` checks the signatures of files.
pub(crate) fn verify(mut evidence: Evidence, keyring: &Keyring) -> Verification {
    let claims = Claims::new().with_time(evidence.at);
    let mut verification = Verification { claims, ..Verification::default() };
    if let Some(hcl) = &evidence.hardware.hcl {
        evidence.report = inner_report(hcl);
    }
    canonical::rewrite(&mut verification, &mut evidence);
    verification.report(&mut evidence);
    verification.launch_endorsements(&evidence);
    let ek = verification.endorsement_key(&mut evidence);
    let claimed = hardware::verify(&mut verification, &evidence);
    let key = verification.attestation_key(&evidence, ek).or(claimed);
    verification.quote_and_logs(&evidence, key.as_ref(), keyring);
    verification.shared_challenge(&evidence);
    let gaps = facts::not_checked(&verification.claims, &evidence);
    verification.not_checked.splice(0..0, gaps);
    verification
}

impl Verification {
    /// Says whether any step was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.steps.iter().any(|step| step.state == State::Refused)
    }

    pub(super) fn note(&mut self, what: &'static str, state: State, detail: impl Into<String>) {
        self.steps.push(Step { what, state, detail: detail.into() });
    }

    /// Notes a refusal for the reader and for the appraisal.
    pub(super) fn refuse(&mut self, what: &'static str, layer: Layer, reason: &dyn Display) {
        self.note(what, State::Refused, reason.to_string());
        self.claims = std::mem::take(&mut self.claims).with_refusal(layer, reason);
    }

    pub(super) fn not_reached(&mut self, what: &'static str, waits_for: &str) {
        self.note(what, State::NotReached, format!("rests on the {waits_for}, which was not verified"));
    }

    fn report(&mut self, evidence: &mut Evidence) {
        let Some(report) = evidence.report.as_deref() else { return };
        if let Some(table) = &evidence.certificate_table
            && let Err(error) = evidence.collateral.add_table(table)
        {
            self.refuse("certificate table", Layer::Snp, &error);
        }
        match snp::verify(report, &evidence.collateral, &evidence.anchors, evidence.at) {
            Ok(report) => {
                let version = report.report.version().number();
                let signer = facts::signer(&report);
                let root = root_text(report.root());
                let detail = format!("version {version}, signed by {signer}, up to {root}, at {}", evidence.at);
                self.note("report", State::Verified, detail);
                self.facts.extend(facts::of_report(&report));
                self.claims = std::mem::take(&mut self.claims).with_report(&report);
                self.report = Some(report);
            }
            Err(error) => self.refuse("report", Layer::Snp, &error),
        }
    }

    /// Endorsements say nothing of the machine by themselves: they meet the report's measurement in the appraisal.
    fn launch_endorsements(&mut self, evidence: &Evidence) {
        const WHAT: &str = "endorsement";
        for part in &evidence.endorsements {
            // Whoever names no authority is told so, beside what is not checked.
            if part.media == GOOGLE_ENDORSEMENT && evidence.endorsement_authorities.is_empty() {
                continue;
            }
            match endorsed_launches(part, evidence) {
                Ok(launches) => self.endorsed(&part.source, &launches),
                Err(error) => self.refuse(WHAT, Layer::Snp, &format!("{}: {error}", part.source)),
            }
        }
    }

    /// Adds the launches of one endorsement.
    fn endorsed(&mut self, source: &str, launches: &[Verified<LaunchEndorsement, Vendor>]) {
        let report = self.claims.report().map(|report| report.claims().report.measurement().0);
        let own = report.and_then(|measurement| launches.iter().find(|launch| launch.is_about(&measurement)));
        if let Some(shown) = own.or(launches.first()) {
            let LaunchEndorsement { feed, guest_svn, launch_measurement } = &**shown;
            let others = match launches.len() {
                1 => String::new(),
                count => format!(" and {} others", count.saturating_sub(1)),
            };
            let detail =
                format!("of the launch {launch_measurement}{others} as {feed}, SVN {guest_svn}, by {}", shown.root());
            self.note("endorsement", State::Verified, detail);
        }
        if report.is_some() && own.is_none() {
            self.not_checked.push(format!("{source}: it is about another launch than the report's"));
        }
        for launch in launches {
            self.claims = std::mem::take(&mut self.claims).with_endorsement(launch);
        }
    }

    fn endorsement_key(&mut self, evidence: &mut Evidence) -> Option<BoundEk> {
        const WHAT: &str = "endorsement key";
        let manifest = evidence.manifest.take();
        if evidence.ek.is_none() && manifest.is_none() {
            return None;
        }
        let Some(report) = self.report.take() else {
            self.not_reached(WHAT, "report");
            return None;
        };
        match bound(report, evidence, manifest) {
            Ok(ek) => {
                let profile = ek.profile().name();
                self.note(WHAT, State::Verified, format!("bound by the report as {profile}, made at VMPL 0"));
                self.facts.extend(facts::of_binding(&ek));
                Some(ek)
            }
            Err(reason) => {
                self.refuse(WHAT, Layer::Tpm, &reason);
                None
            }
        }
    }

    fn attestation_key(&mut self, evidence: &Evidence, ek: Option<BoundEk>) -> Option<TrustedAk> {
        const WHAT: &str = "attestation key";
        let found = match (&evidence.certification, ek) {
            (None, _) => named(evidence)?,
            (Some(_), None) => {
                self.not_reached(WHAT, "endorsement key");
                return None;
            }
            (Some(certification), Some(ek)) => certified(certification, ek, evidence),
        };
        match found {
            Ok(Found { public, key, state, detail }) => {
                let certificate = self.key_certificate(evidence, &public);
                self.note(WHAT, state, detail);
                self.facts.push(Fact::new("ak_name", hex(key.name())));
                self.claims = std::mem::take(&mut self.claims).with_key(&key);
                if let Some(certificate) = certificate {
                    self.claims = std::mem::take(&mut self.claims).with_key_certificate(&certificate);
                }
                Some(key)
            }
            Err(reason) => {
                self.refuse(WHAT, Layer::Tpm, &reason);
                None
            }
        }
    }

    /// What a provider says of the key: no hardware's word, but somebody's whom the operator named.
    fn key_certificate(&mut self, evidence: &Evidence, key: &AkPublic) -> Option<Verified<CertifiedKey, Vendor>> {
        const WHAT: &str = "key's certificate";
        if evidence.ak_certificates.is_empty() || evidence.ak_authorities.is_empty() {
            return None;
        }
        let certificate = match gce::verify(&evidence.ak_certificates, &evidence.ak_authorities, evidence.at) {
            Ok(certificate) => certificate,
            Err(error) => {
                self.refuse(WHAT, Layer::Tpm, &error);
                return None;
            }
        };
        if !key.is_key(&certificate.key) {
            self.refuse(WHAT, Layer::Tpm, &"it is of another key than the attestation key");
            return None;
        }
        self.note(WHAT, State::Verified, format!("up to {}", certificate.root()));
        self.facts.extend(facts::of_instance(&certificate));
        Some(certificate)
    }

    /// Where no report leads to the attestation key, one challenge for report and quote is all that ties them together.
    fn shared_challenge(&mut self, evidence: &Evidence) {
        const WHAT: &str = "one challenge";
        let is_bound = self.claims.key().is_none_or(|key| key.binding.is_some());
        let (Some(files), Some(_)) = (&evidence.quote, self.claims.quote()) else { return };
        let report = self.claims.report().map(|report| report.claims().report.report_data().to_vec());
        let quoted = self.claims.td().map(|quote| quote.claims().report_data.to_vec());
        let Some(answered) = report.or(quoted).filter(|_| !is_bound) else { return };
        let is_shared = answers(&answered, &files.nonce);
        if is_shared {
            self.note(WHAT, State::Verified, "the hardware's report answers the nonce of the quote, too");
        } else {
            self.not_checked
                .push("whether report and quote answer one challenge: REPORTDATA is not the quote's nonce".into());
        }
        self.not_checked.push(
            "whether the TPM is this guest's: the hardware's report names no key of it; that both are of one machine is their \
             provider's word"
                .into(),
        );
        self.claims = std::mem::take(&mut self.claims).with_shared_challenge(is_shared);
    }

    fn quote_and_logs(&mut self, evidence: &Evidence, key: Option<&TrustedAk>, keyring: &Keyring) {
        let Some(files) = &evidence.quote else { return self.logs_without_quote(evidence) };
        let quote = match key {
            Some(key) => self.quote(key, files, evidence),
            None => {
                self.not_reached("quote", "attestation key");
                None
            }
        };
        if evidence.event_log.is_none() && evidence.ima_log.is_some() {
            self.not_reached("IMA list", "event log");
        }
        let Some(log) = &evidence.event_log else { return };
        let boot = match quote {
            Some(quote) => self.boot(quote, log, evidence),
            None => {
                self.not_reached("event log", "quote");
                None
            }
        };
        let Some(list) = &evidence.ima_log else { return };
        match boot {
            Some(boot) => self.runtime(boot, list, keyring),
            None => self.not_reached("IMA list", if self.claims.quote().is_some() { "event log" } else { "quote" }),
        }
    }

    /// A log that no quote vouches for proves nothing, however well it reads.
    fn logs_without_quote(&mut self, evidence: &Evidence) {
        if evidence.event_log.is_some() {
            self.refuse("event log", Layer::Boot, &"no quote vouches for it");
        }
        if let Some(list) = &evidence.ima_log {
            let reason = match binary_list(list) {
                Ok(list) if is_without_tpm(&list) => {
                    "no quote vouches for it, and its boot_aggregate is zeros: the kernel found no TPM".to_owned()
                }
                Ok(_) => "no quote vouches for it".to_owned(),
                Err(error) => error.to_string(),
            };
            self.refuse("IMA list", Layer::Runtime, &reason);
        }
    }

    fn quote(&mut self, key: &TrustedAk, files: &QuoteFiles, evidence: &Evidence) -> Option<Quote> {
        const WHAT: &str = "quote";
        let quoted = PcrValues::parse(&files.pcrs).map_err(|error| error.to_string()).and_then(|pcrs| {
            let values: Vec<&[u8]> = pcrs.values.iter().map(Vec::as_slice).collect();
            let quote = QuoteEvidence { message: &files.message, signature: &files.signature, values: &values };
            let verified = key.verify(quote, Issued::recorded(&files.nonce), &pcrs.selection, evidence.at);
            verified.map(|quote| (quote, pcrs.selection)).map_err(|error| error.to_string())
        });
        match quoted {
            Ok((quote, selection)) => {
                self.note(WHAT, State::Verified, format!("{selection}, signed by the attestation key over the nonce"));
                self.facts.extend(facts::of_quote(&quote));
                self.claim(WHAT, |claims| claims.with_quote(&quote));
                Some(quote)
            }
            Err(reason) => {
                self.refuse(WHAT, Layer::Tpm, &reason);
                None
            }
        }
    }

    fn boot<'a>(&mut self, quote: Quote, log: &'a [u8], evidence: &Evidence) -> Option<MeasuredBoot<'a>> {
        const WHAT: &str = "event log";
        match MeasuredBoot::verify(quote, log, evidence.ima_pcrs) {
            Ok(boot) => {
                let events = boot.events().count();
                self.note(WHAT, State::Verified, format!("{events} events explain PCRs {}", boot.explained()));
                self.facts.extend(facts::of_boot(&boot));
                self.claim(WHAT, |claims| claims.with_boot(&boot));
                Some(boot)
            }
            Err(error) => {
                self.refuse(WHAT, Layer::Boot, &error);
                None
            }
        }
    }

    fn runtime(&mut self, boot: MeasuredBoot<'_>, list: &[u8], keyring: &Keyring) {
        const WHAT: &str = "IMA list";
        let registers = boot.open();
        let list = match binary_list(list) {
            Ok(list) => list,
            Err(error) => return self.refuse(WHAT, Layer::Runtime, &error),
        };
        // Whether a violation fails the machine is the policy's to say, with a finding of its own.
        let rules = RuntimeRules { allow_violations: true };
        match MeasuredRuntime::verify(boot, &list, rules) {
            Ok(runtime) => {
                let covered = runtime.covered_entries();
                self.note(WHAT, State::Verified, format!("{covered} entries explain PCRs {registers}"));
                self.facts.extend(facts::of_runtime(&runtime, keyring));
                self.claim(WHAT, |claims| claims.with_runtime(&runtime, keyring));
            }
            Err(error) => self.refuse(WHAT, Layer::Runtime, &error),
        }
    }

    fn claim(&mut self, what: &'static str, add: impl FnOnce(Claims) -> Result<Claims, ClaimsError>) {
        match add(self.claims.clone()) {
            Ok(claims) => self.claims = claims,
            Err(error) => self.refuse(what, Layer::Tpm, &error),
        }
    }
}

/// The list in its binary form, which it may have come in.
fn binary_list(list: &[u8]) -> Result<Cow<'_, [u8]>, evtpm_logs::Error> {
    if AsciiList::recognizes(list) { AsciiList::to_binary(list).map(Cow::Owned) } else { Ok(Cow::Borrowed(list)) }
}

/// Tells whether the list begins with a `boot_aggregate` of zeros, which the kernel writes where it has no TPM.
fn is_without_tpm(list: &[u8]) -> bool {
    let first = BinaryList::new(list).next().and_then(Result::ok);
    first.is_some_and(|entry| {
        let digest = entry.digest();
        entry.path() == b"boot_aggregate" && digest.is_some_and(|digest| digest.bytes.iter().all(|byte| *byte == 0))
    })
}

/// Names a root so that nobody takes a simulated one for hardware.
fn root_text(root: &Root) -> String {
    let warning = if root.is_simulated() { " (no hardware stands behind it)" } else { "'s root" };
    format!("{root}{warning}")
}

fn bound(report: Verified<SnpClaims>, evidence: &Evidence, manifest: Option<Manifest>) -> Result<BoundEk, String> {
    let named = evidence.ek.as_deref().unwrap_or_default();
    let is_named = evidence.ek.is_some();
    let Some(manifest) = manifest else {
        return bind(report, Binding::NvReport { ek: named }, evidence.at).map_err(|error| error.to_string());
    };
    let Manifest { version, nonce, bytes: manifest } = &manifest;
    let nonce = <[u8; SvsmNonce::SIZE]>::try_from(nonce.as_slice())
        .map(SvsmNonce::recorded)
        .map_err(|_| format!("a nonce of {} bytes instead of {}", nonce.len(), SvsmNonce::SIZE))?;
    let binding = match version {
        ManifestVersion::V0 => Binding::ManifestV0 { nonce, manifest },
        ManifestVersion::V1 => Binding::ManifestV1 { nonce, manifest, ek: named },
        ManifestVersion::Services => Binding::Services { nonce, manifest },
    };
    let ek = bind(report, binding, evidence.at).map_err(|error| error.to_string())?;
    if is_named && named.get(2..) != Some(ek.public_area()) {
        return Err("the manifest is of another key than --ek".to_owned());
    }
    Ok(ek)
}

/// Says whether report data are a challenge, with nothing but zeros behind it.
pub(super) fn answers(report_data: &[u8], challenge: &[u8]) -> bool {
    let rest = report_data.strip_prefix(challenge).filter(|_| !challenge.is_empty());
    rest.is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

/// Verifies an endorsement, in either form.
fn endorsed_launches(
    part: &Part,
    evidence: &Evidence,
) -> Result<Vec<Verified<LaunchEndorsement, Vendor>>, evtpm_verify::Error> {
    if part.media == GOOGLE_ENDORSEMENT {
        let parsed = go_tpm_tools::LaunchEndorsement::parse(&part.bytes)?;
        return endorsement::verify_google(&parsed, &evidence.endorsement_authorities, evidence.at);
    }
    Ok(vec![endorsement::verify_named(&Endorsement::parse(&part.bytes)?, evidence.at)?])
}

/// An attestation key, and why it is believed.
struct Found {
    public: AkPublic,
    key: TrustedAk,
    state: State,
    detail: String,
}

/// Takes the attestation key on somebody's word, if one came along.
fn named(evidence: &Evidence) -> Option<Result<Found, String>> {
    let file = evidence.ak.as_deref()?;
    let whose = if evidence.is_ak_bundled { "the bundle's" } else { "your" };
    let detail = format!("on {whose} word: it is restricted to what its TPM made, but no report leads to it");
    let found = attestation_key(file).map(|public| Found {
        key: TrustedAk::named(public.clone()),
        public,
        state: State::Named,
        detail,
    });
    Some(found.map_err(|error| error.to_string()))
}

/// Verifies that the TPM with the endorsement key certified the attestation key.
fn certified(certification: &Certification, ek: BoundEk, evidence: &Evidence) -> Result<Found, String> {
    let answer = CertifiedBlob::parse(&certification.answer).map_err(|error| error.to_string())?;
    let size = u16::try_from(answer.public.len()).map_err(|_| "its public area is too long".to_owned())?;
    let sized = [size.to_be_bytes().as_slice(), answer.public].concat();
    let proof = CertifyEvidence { message: answer.message, signature: answer.signature, public: &sized };
    let refused = |error: evtpm_verify::tpm::Error| error.to_string();
    let key = Certifier::kept(ek, certification.secret.clone()).prove(proof, evidence.at).map_err(refused)?;
    let public = AkPublic::from_tpmt(answer.public).map_err(refused)?;
    let other = evidence.ak.as_deref().map(attestation_key).transpose().map_err(refused)?;
    if other.is_some_and(|other| other.name() != key.name()) {
        return Err("the certified key is another than --ak".to_owned());
    }
    let detail = "certified by the TPM of the endorsement key, with the key that was made for it alone".to_owned();
    Ok(Found { public, key, state: State::Verified, detail })
}

/// Reads a public area with or without its size.
pub(crate) fn attestation_key(file: &[u8]) -> Result<AkPublic, evtpm_verify::tpm::Error> {
    AkPublic::from_tpmt(file::without_size(file))
}
