// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A verifier with its anchors and its policy, and the guest's side of the two-step attestation.

use evtpm_appraise::policy::SnpPolicy;
use evtpm_appraise::{Appraisal, Claims, Policy, appraise};
use evtpm_client::{Client, ClientError, Object};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_protocol::templates::EkTemplate;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_snp::{LaunchDigest, MessageType};
use evtpm_sp_sim::{Authority, Host, Product, Role};
use evtpm_svsm::{GuestChannel, SecureProcessor};
use evtpm_testing_support::{Driver, Noise};
use evtpm_tpm_wire::{
    Handle, Marshal, Supported, Tpm2b, Tpm2bIdObject, TpmSu, TpmiRhHierarchy, TpmtPublic, from_bytes,
};
use evtpm_verify::evtpm::BoundEk;
use evtpm_verify::snp::{Anchors, Collateral, SnpClaims};
use evtpm_verify::tpm::{AkPublic, Challenge, Credential};
use evtpm_verify::{Error, UnixTime, Verified, snp};

/// A day after the simulated certificates are issued.
pub(crate) const NOW: UnixTime = UnixTime(1_767_312_000);
/// When what is given out at [`NOW`] is worth nothing any more.
pub(crate) const LATER: UnixTime = UnixTime(NOW.0 + 60);

/// The index of the P-256 key's certificate.
pub(crate) const EK_CERTIFICATE: Handle = Handle(EkTemplate::L2.certificate_index());

pub(crate) fn root_name(product: Product) -> String {
    Authority::new(product).common_name(Role::Ark)
}

/// Trusts the simulated root of one product and nothing else.
pub(crate) fn anchors(product: Product) -> Anchors {
    let root = Authority::new(product).certificate(Role::Ark).unwrap();
    Anchors::none().and_simulated(&root_name(product), &root).unwrap()
}

/// The certificates of a host's chip, as the host would hand them out.
pub(crate) fn collateral(host: &mut Host) -> Collateral {
    let mut collateral = Collateral::new();
    collateral.add_table(&host.processor().certificate_table().unwrap()).unwrap();
    collateral
}

/// Verifies a report of one of the product's chips.
pub(crate) fn verify(report: &[u8], host: &mut Host, product: Product) -> Result<Verified<SnpClaims>, Error> {
    snp::verify(report, &collateral(host), &anchors(product), NOW)
}

/// Judges a verified report by a policy that knows one measurement and names the simulated root.
pub(crate) fn judge(
    report: &Verified<SnpClaims>,
    measurement: LaunchDigest,
    product: Product,
    change: impl FnOnce(&mut SnpPolicy),
) -> Appraisal {
    let mut rules = SnpPolicy::new(measurement.0);
    rules.simulated.push(root_name(product));
    change(&mut rules);
    appraise(&Policy::new(rules), &Claims::new().with_report(report)).unwrap()
}

/// The codes of the findings that keep an attester from being trusted.
pub(crate) fn objections(appraisal: &Appraisal) -> Vec<String> {
    let is_heavy = |finding: &&evtpm_appraise::Finding| finding.severity() > evtpm_appraise::Severity::Warning;
    appraisal.findings().filter(is_heavy).map(|finding| finding.explain().code).collect()
}

/// Whoever holds a message key asks the secure processor for a report.
pub(crate) fn ask(
    channel: &mut GuestChannel,
    processor: &mut impl SecureProcessor,
    report_data: [u8; 64],
    vmpl: u32,
) -> Result<Vec<u8>, evtpm_snp::Status> {
    let request = ReportRequest::new(report_data, vmpl, KeySelect::Auto);
    let answer = channel.request(processor, MessageType::ReportRequest, request.as_bytes(), None).unwrap();
    ReportResponse::parse(answer).unwrap().map(|report| report.as_bytes().to_vec())
}

pub(crate) fn tpm2b(public: &TpmtPublic) -> Vec<u8> {
    Tpm2b(public.clone()).to_bytes(&mut [0; 4096]).unwrap().to_vec()
}

/// REPORT_DATA as the paper has it.
pub(crate) fn commitment(key: &TpmtPublic) -> [u8; 64] {
    RustCrypto::hash(HashAlg::Sha512, &[&tpm2b(key)]).as_bytes().try_into().unwrap()
}

/// A guest's keys.
pub(crate) struct Attester<'m> {
    pub(crate) tpm: Client<Driver<'m>, Noise>,
    pub(crate) ek: Object,
    pub(crate) ak: Object,
}

impl<'m> Attester<'m> {
    pub(crate) fn start(mut tpm: Client<Driver<'m>, Noise>) -> Self {
        tpm.startup(TpmSu::Clear).unwrap();
        let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public()).unwrap();
        let template = evtpm_protocol::templates::attestation_key();
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template).unwrap();
        Self { tpm, ek, ak }
    }

    pub(crate) fn report(&mut self) -> Vec<u8> {
        self.tpm.nv_read(EK_CERTIFICATE, &[]).unwrap()
    }

    /// Opens a verifier's challenge, as `TPM2_ActivateCredential` does.
    pub(crate) fn open(&mut self, challenge: &Challenge) -> Result<Vec<u8>, ClientError> {
        let blob: Tpm2bIdObject = from_bytes(&challenge.credential, &Supported::ALL).unwrap();
        let opened = self.tpm.activate_credential(&self.ak, &self.ek, &[], &blob, &challenge.secret[2..])?;
        Ok(opened.as_bytes().to_vec())
    }

    /// What a verifier gives out to learn whether this attestation key lives beside that endorsement key.
    pub(crate) fn challenge(&self, ek: BoundEk) -> (Challenge, Credential) {
        let ak = AkPublic::from_tpm2b(&tpm2b(&self.ak.public)).unwrap();
        Credential::make(ek, ak, &mut Noise::Good(99), LATER).unwrap()
    }
}
