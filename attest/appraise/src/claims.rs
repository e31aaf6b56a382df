// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is known of an attester, layer by layer: made of proof types only, and of refusals.

mod json;

use core::fmt;

use evtpm_logs::{
    HashId, PcrIndex, PcrSet, Text,
    ima::FileDigest as LoggedDigest,
    tcg::{EventData, EventType, TaggedEvent},
};
use evtpm_verify::{
    Root, UnixTime, Vendor, Verified,
    azure::{HardwareProof, ParavisorClaims},
    cca::{PlatformClaims, RealmClaims},
    csv::CsvClaims,
    dcap::{DcapClaims, Tee},
    endorsement::LaunchEndorsement,
    evtpm::BindingFreshness,
    gce::CertifiedKey,
    logs::{Aggregate, CommandLine, Continued, Keyring, MeasuredBoot, MeasuredRuntime, SignatureState, VerifiedEvent},
    nitro::NitroClaims,
    nvidia::DeviceClaims,
    psa::PsaClaims,
    s390::SeClaims,
    snp::SnpClaims,
    tpm::{AkOrigin, Clock, Freshness, Quote, QuotedBank, TrustedAk},
};

use crate::{finding::Layer, policy::FileDigest};

/// What is known of an attester; see the methods for what each piece is made of.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    pub(crate) snp: Option<ReportClaims>,
    pub(crate) endorsements: Vec<EndorsedLaunch>,
    pub(crate) dcap: Option<Proven<DcapClaims>>,
    pub(crate) azure: Option<ParavisorClaims>,
    pub(crate) nitro: Option<Proven<NitroClaims>>,
    pub(crate) cca_platform: Option<Proven<PlatformClaims>>,
    pub(crate) cca_realm: Option<Proven<RealmClaims>>,
    pub(crate) psa: Option<Proven<PsaClaims>>,
    pub(crate) nvidia: Vec<Proven<DeviceClaims>>,
    pub(crate) s390: Option<Proven<SeClaims>>,
    pub(crate) csv: Option<Proven<CsvClaims>>,
    pub(crate) key: Option<KeyClaims>,
    pub(crate) quote: Option<QuoteClaims>,
    /// Whether a report that leads to no key answers the nonce of the quote.
    pub(crate) shared_challenge: Option<bool>,
    pub(crate) boot: Option<BootClaims>,
    /// The boot was judged at an earlier quote, and its registers are what they were.
    pub(crate) boot_stands: bool,
    pub(crate) runtime: Option<RuntimeClaims>,
    pub(crate) refusals: Vec<(Layer, String)>,
    pub(crate) time: Option<UnixTime>,
}

/// What a verified report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportClaims {
    pub(crate) claims: SnpClaims,
    pub(crate) root: Root,
}

impl ReportClaims {
    fn of(report: &Verified<SnpClaims>) -> Self {
        Self { claims: (**report).clone(), root: report.root().clone() }
    }

    /// Returns the claims.
    pub const fn claims(&self) -> &SnpClaims {
        &self.claims
    }

    /// Returns the root that the report's chain ends in.
    pub const fn root(&self) -> &Root {
        &self.root
    }
}

/// What a verified endorsement says of launches, and who issued it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndorsedLaunch {
    pub(crate) launch: LaunchEndorsement,
    pub(crate) issuer: String,
}

/// The challenge that evidence of hardware answers (rule 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Nobody told which one it has to answer.
    Unchecked,
    /// One that came with the evidence: it is whole, but may be old.
    Recorded,
    /// None: it vouches for a key, and what that key signs answers one.
    Key,
    /// One that this verifier issued.
    Issued,
}

/// What verified evidence of a vendor's hardware says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T> {
    pub(crate) claims: T,
    pub(crate) root: Vendor,
    pub(crate) challenge: Challenge,
}

impl<T: Clone> Proven<T> {
    fn of(verified: &Verified<T, Vendor>, challenge: Challenge) -> Self {
        Self { claims: (**verified).clone(), root: verified.root().clone(), challenge }
    }
}

impl<T> Proven<T> {
    /// Returns the claims.
    pub const fn claims(&self) -> &T {
        &self.claims
    }

    /// Returns the root that the belief ends in.
    pub const fn root(&self) -> &Vendor {
        &self.root
    }

    /// Returns the challenge that the evidence answers.
    pub const fn challenge(&self) -> Challenge {
        self.challenge
    }
}

/// Why pieces of evidence do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimsError {
    /// The quote was not signed by the key whose origin is known.
    ForeignQuote,
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignQuote => f.write_str("the quote is by another key than the one that the report leads to"),
        }
    }
}

impl core::error::Error for ClaimsError {}

/// What is known of the attestation key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaims {
    /// How hardware vouches for it, by the name that policies have for it; `None` if only the operator named the key.
    pub binding: Option<(&'static str, BindingFreshness)>,
    /// Who certified it, if that was checked: the provider's word, and no hardware's.
    pub certified_by: Option<String>,
    pub(crate) name: Vec<u8>,
}

/// What is known of the PCRs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteClaims {
    /// Quoted banks, each with its PCRs and their values.
    pub banks: Vec<BankValues>,
    /// The TPM's clock.
    pub clock: Clock,
    /// How fresh the quote is.
    pub freshness: Freshness,
}

/// One quoted bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankValues {
    /// The bank's algorithm.
    pub bank: HashId,
    /// The quoted PCRs with their values.
    pub values: Vec<(PcrIndex, Vec<u8>)>,
}

/// What is known of the boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootClaims {
    /// The PCRs that the event log explains.
    pub explained: PcrSet,
    /// Whether Secure Boot was on, as far as the events prove it.
    pub secure_boot: Option<bool>,
    /// Every measurement of a kernel command line.
    pub command_lines: Vec<CommandLine>,
    /// The events of the explained PCRs.
    pub events: Vec<BootEvent>,
}

/// One event of the boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootEvent {
    /// The PCR.
    pub pcr: PcrIndex,
    /// The digests in the quoted banks.
    pub digests: Vec<FileDigest>,
    /// Whether the digests are proven to be those of a separator or of one of the firmware's own strings, so that they
    /// measure no code.
    pub is_marker: bool,
    /// Whether the log claims that it is the kernel's command line.
    pub is_load_options: bool,
    /// What the log claims the event to be, for people.
    pub label: String,
}

/// What is known of the running system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeClaims {
    /// The files that were measured.
    pub files: Vec<FileMeasurement>,
    /// The number of violations.
    pub violations: usize,
    /// The number of entries that the quote does not cover.
    pub uncovered: usize,
    /// Whether `boot_aggregate` was recomputed from quoted PCRs.
    pub aggregate_verified: bool,
    /// Banks that prove the list no better than SHA-1 does.
    pub weak_banks: Vec<HashId>,
}

/// One file that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeasurement {
    /// The path; bytes that are no text are shown as escapes.
    pub path: String,
    /// The digest, if its algorithm is known.
    pub digest: Option<FileDigest>,
    /// What is known of its signature.
    pub signature: SignatureState,
}

/// The name of a paravisor's way to vouch for its TPM's attestation key.
const AZURE_BINDING: &str = "azure-runtime-claims";

/// The name of a TPM vendor's way to vouch for an endorsement key; unlike the others, no hardware vouches for the launch.
pub(crate) const EK_CERTIFICATE_BINDING: &str = "ek-certificate";

impl Claims {
    /// Starts with nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the moment of verification, for rules that look at it.
    #[must_use]
    pub fn with_time(self, at: UnixTime) -> Self {
        Self { time: Some(at), ..self }
    }

    /// Adds a report that vouches for no key.
    #[must_use]
    pub fn with_report(mut self, report: &Verified<SnpClaims>) -> Self {
        self.snp = Some(ReportClaims::of(report));
        self
    }

    /// Adds an endorsement of a launch to those that there are; it says nothing of this machine.
    #[must_use]
    pub fn with_endorsement(mut self, endorsement: &Verified<LaunchEndorsement, Vendor>) -> Self {
        if let Vendor::Named { name } = endorsement.root() {
            self.endorsements.push(EndorsedLaunch { launch: (**endorsement).clone(), issuer: name.clone() });
        }
        self
    }

    /// Adds a quote of a TD or an enclave.
    #[must_use]
    pub fn with_dcap(self, quote: &Verified<DcapClaims, Vendor>, challenge: Challenge) -> Self {
        Self { dcap: Some(Proven::of(quote, challenge)), ..self }
    }

    /// Adds an enclave's attestation document.
    #[must_use]
    pub fn with_nitro(self, document: &Verified<NitroClaims, Vendor>, challenge: Challenge) -> Self {
        Self { nitro: Some(Proven::of(document, challenge)), ..self }
    }

    /// Adds a CCA platform; its challenge is the realm's key, so that the realm tells how fresh both are.
    #[must_use]
    pub fn with_cca_platform(self, platform: &Verified<PlatformClaims, Vendor>) -> Self {
        Self { cca_platform: Some(Proven::of(platform, Challenge::Key)), ..self }
    }

    /// Adds a realm.
    #[must_use]
    pub fn with_cca_realm(self, realm: &Verified<RealmClaims, Vendor>, challenge: Challenge) -> Self {
        Self { cca_realm: Some(Proven::of(realm, challenge)), ..self }
    }

    /// Adds a PSA device.
    #[must_use]
    pub fn with_psa(self, token: &Verified<PsaClaims, Vendor>, challenge: Challenge) -> Self {
        Self { psa: Some(Proven::of(token, challenge)), ..self }
    }

    /// Adds an NVIDIA device to those that there are.
    #[must_use]
    pub fn with_nvidia(mut self, device: &Verified<DeviceClaims, Vendor>, challenge: Challenge) -> Self {
        self.nvidia.push(Proven::of(device, challenge));
        self
    }

    /// Adds a Secure Execution guest.
    #[must_use]
    pub fn with_s390(self, guest: &Verified<SeClaims, Vendor>, challenge: Challenge) -> Self {
        Self { s390: Some(Proven::of(guest, challenge)), ..self }
    }

    /// Adds a CSV guest.
    #[must_use]
    pub fn with_csv(self, guest: &Verified<CsvClaims, Vendor>, challenge: Challenge) -> Self {
        Self { csv: Some(Proven::of(guest, challenge)), ..self }
    }

    /// Adds the attestation key, and the report that leads to it.
    #[must_use]
    pub fn with_key(mut self, key: &TrustedAk) -> Self {
        let binding = match key.origin() {
            AkOrigin::Activated(ek) => {
                self.snp = Some(ReportClaims::of(ek.report()));
                Some((ek.profile().name(), ek.freshness()))
            }
            AkOrigin::Certified(_) => Some((EK_CERTIFICATE_BINDING, BindingFreshness::Lasting)),
            AkOrigin::Claimed(paravisor) => {
                match &paravisor.proof {
                    HardwareProof::Snp(report) => self.snp = Some(ReportClaims::of(report)),
                    HardwareProof::Tdx(quote) => self.dcap = Some(Proven::of(quote, Challenge::Key)),
                }
                self.azure = Some(paravisor.claims.clone());
                Some((AZURE_BINDING, BindingFreshness::Boot))
            }
            AkOrigin::Named => None,
        };
        self.key = Some(KeyClaims { binding, certified_by: None, name: key.name().to_vec() });
        self
    }

    /// Adds who certified the key that was added before.
    #[must_use]
    pub fn with_key_certificate(mut self, certificate: &Verified<CertifiedKey, Vendor>) -> Self {
        if let Some(key) = &mut self.key {
            key.certified_by = Some(certificate.root().to_string());
        }
        self
    }

    /// Adds whether the report of the hardware answers the quote's nonce, too.
    #[must_use]
    pub fn with_shared_challenge(self, is_shared: bool) -> Self {
        Self { shared_challenge: Some(is_shared), ..self }
    }

    /// Adds a quote by the key that was added before.
    pub fn with_quote(mut self, quote: &Quote) -> Result<Self, ClaimsError> {
        if self.key.as_ref().is_none_or(|key| key.name != quote.ak_name()) {
            return Err(ClaimsError::ForeignQuote);
        }
        self.quote = Some(QuoteClaims {
            banks: quote.banks().iter().map(BankValues::of).collect(),
            clock: quote.clock(),
            freshness: quote.freshness(),
        });
        Ok(self)
    }

    /// Adds a boot and the quote that proves it.
    pub fn with_boot(self, boot: &MeasuredBoot<'_>) -> Result<Self, ClaimsError> {
        let mut claims = self.with_quote(boot.quote())?;
        let banks: Vec<HashId> = boot.quote().banks().iter().map(|bank| bank.algorithm()).collect();
        claims.boot = Some(BootClaims {
            explained: boot.explained(),
            secure_boot: boot.secure_boot(),
            command_lines: boot.command_lines(),
            events: boot.events().map(|event| BootEvent::read(event, &banks)).collect(),
        });
        Ok(claims)
    }

    /// Adds a running system, its boot and the quote that proves both; `keyring` judges the files' signatures.
    pub fn with_runtime(self, runtime: &MeasuredRuntime<'_>, keyring: &Keyring) -> Result<Self, ClaimsError> {
        let mut claims = self.with_boot(runtime.boot())?;
        let mut files = Vec::with_capacity(runtime.covered_entries());
        runtime.each_file(keyring, |entry, signature| {
            files.push(FileMeasurement::new(entry.path(), entry.digest(), signature));
        });
        claims.runtime = Some(RuntimeClaims {
            files,
            violations: runtime.violations(),
            uncovered: runtime.uncovered_entries(),
            aggregate_verified: matches!(runtime.aggregate(), Aggregate::Verified { .. }),
            weak_banks: runtime.weak_banks().collect(),
        });
        Ok(claims)
    }

    /// Adds a later quote of a boot: of the running system only what is new is looked at, the boot not at all.
    ///
    /// The policy that judges these claims has to be the one that found nothing against what the logs said up to the
    /// earlier quote ([`Appraisal::may_continue`](crate::Appraisal::may_continue)).
    pub fn with_continued(self, later: &Continued<'_>, keyring: &Keyring) -> Result<Self, ClaimsError> {
        let mut claims = self.with_quote(later.quote())?;
        claims.boot_stands = true;
        claims.runtime = later.aggregate().map(|aggregate| RuntimeClaims {
            files: later
                .files(keyring)
                .map(|file| FileMeasurement::new(file.path, file.digest, file.signature))
                .collect(),
            violations: later.violations(),
            uncovered: later.uncovered_entries(),
            aggregate_verified: matches!(aggregate, Aggregate::Verified { .. }),
            weak_banks: later.weak_banks().collect(),
        });
        Ok(claims)
    }

    /// Notes that a piece of evidence was refused, and why: the attester is untrusted, whatever else is known.
    #[must_use]
    pub fn with_refusal(mut self, layer: Layer, reason: &dyn fmt::Display) -> Self {
        self.refusals.push((layer, reason.to_string()));
        self
    }

    /// Returns the verified report.
    pub const fn report(&self) -> Option<&ReportClaims> {
        self.snp.as_ref()
    }

    /// Returns the quote of a TD.
    pub fn td(&self) -> Option<&Proven<DcapClaims>> {
        self.dcap.as_ref().filter(|quote| matches!(quote.claims.tee, Tee::Tdx(_)))
    }

    /// Returns the quote of an enclave.
    pub fn enclave(&self) -> Option<&Proven<DcapClaims>> {
        self.dcap.as_ref().filter(|quote| matches!(quote.claims.tee, Tee::Sgx { .. }))
    }

    /// Returns what Azure's paravisor says.
    pub const fn paravisor(&self) -> Option<&ParavisorClaims> {
        self.azure.as_ref()
    }

    /// Returns the attestation document of a Nitro enclave.
    pub const fn nitro(&self) -> Option<&Proven<NitroClaims>> {
        self.nitro.as_ref()
    }

    /// Returns the CCA platform.
    pub const fn cca_platform(&self) -> Option<&Proven<PlatformClaims>> {
        self.cca_platform.as_ref()
    }

    /// Returns the CCA realm.
    pub const fn cca_realm(&self) -> Option<&Proven<RealmClaims>> {
        self.cca_realm.as_ref()
    }

    /// Returns the PSA device.
    pub const fn psa(&self) -> Option<&Proven<PsaClaims>> {
        self.psa.as_ref()
    }

    /// Returns the NVIDIA devices.
    pub fn nvidia(&self) -> &[Proven<DeviceClaims>] {
        &self.nvidia
    }

    /// Returns the Secure Execution guest.
    pub const fn s390(&self) -> Option<&Proven<SeClaims>> {
        self.s390.as_ref()
    }

    /// Returns the CSV guest.
    pub const fn csv(&self) -> Option<&Proven<CsvClaims>> {
        self.csv.as_ref()
    }

    /// Returns what is known of the attestation key.
    pub const fn key(&self) -> Option<&KeyClaims> {
        self.key.as_ref()
    }

    /// Returns what is known of the PCRs.
    pub const fn quote(&self) -> Option<&QuoteClaims> {
        self.quote.as_ref()
    }

    /// Returns what is known of the boot.
    pub const fn boot(&self) -> Option<&BootClaims> {
        self.boot.as_ref()
    }

    /// Returns what is known of the running system.
    pub const fn runtime(&self) -> Option<&RuntimeClaims> {
        self.runtime.as_ref()
    }
}

impl FileMeasurement {
    fn new(path: &[u8], digest: Option<LoggedDigest<'_>>, signature: SignatureState) -> Self {
        let digest = digest.and_then(|digest| FileDigest::new(HashId::from_name(digest.algorithm)?, digest.bytes));
        // Nearly every path is plain, and taken as it is.
        let is_plain = path.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let plain = if is_plain { str::from_utf8(path).ok() } else { None };
        Self { path: plain.map_or_else(|| Text(path).to_string(), str::to_owned), digest, signature }
    }
}

impl BankValues {
    fn of(quoted: &QuotedBank) -> Self {
        let values = quoted.iter().map(|(pcr, value)| (pcr, value.as_bytes().to_vec())).collect();
        Self { bank: quoted.algorithm(), values }
    }
}

impl QuoteClaims {
    /// Returns the quoted value of a PCR.
    pub fn value(&self, bank: HashId, pcr: PcrIndex) -> Option<&[u8]> {
        let quoted = self.banks.iter().find(|quoted| quoted.bank == bank)?;
        quoted.values.iter().find(|(found, _)| *found == pcr).map(|(_, value)| value.as_slice())
    }
}

impl BootEvent {
    fn read(event: &VerifiedEvent<'_>, banks: &[HashId]) -> Self {
        let digest = |bank: &HashId| FileDigest::new(*bank, event.digest(*bank)?);
        let claimed = event.claimed();
        Self {
            pcr: event.pcr(),
            digests: banks.iter().filter_map(digest).collect(),
            is_marker: event.is_marker(),
            is_load_options: matches!(claimed, EventData::Tagged(TaggedEvent { id: TaggedEvent::LOAD_OPTIONS, .. })),
            label: label(event.claimed_type()),
        }
    }

    /// Says whether one of the digests is listed, and none of the listed algorithms contradicts it.
    pub(crate) fn is_listed(&self, accepted: &[FileDigest]) -> bool {
        let judged = |digest: &&FileDigest| accepted.iter().any(|other| other.algorithm == digest.algorithm);
        let mut judged = self.digests.iter().filter(judged).peekable();
        judged.peek().is_some() && judged.all(|digest| accepted.contains(digest))
    }

    /// Shows the strongest digest.
    pub(crate) fn digest(&self) -> String {
        self.digests
            .iter()
            .max_by_key(|digest| digest.digest.as_bytes().len())
            .map_or_else(|| "no digest".to_owned(), ToString::to_string)
    }
}

fn label(kind: EventType) -> String {
    kind.name().map_or_else(|| format!("event type {:#010x}", kind.0), str::to_owned)
}
