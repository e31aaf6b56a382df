// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes of SGX enclaves and TDs (Intel DCAP): signatures up to Intel's root, and the TCB where there is collateral.
//!
//! ```text
//! Intel SGX Root CA (pinned) ─► PCK CA ─► PCK ─► report of the quoting enclave ─► attestation key ─► quote
//! ```
//!
//! The crate `dcap-qvl` judges the TCB by Intel's collateral, and it verifies every signature once more: a quote is only
//! believed if both agree on what it says. Without collateral the TCB is said to be unchecked.

mod collateral;
mod level;
mod pck;

use evtpm_crypto::{Crypto, EccCurve, EccPoint, HashAlg, RustCrypto, constant_time_eq};
use evtpm_evidence::quote::{Body, Enclave, Quote, Td};
use evtpm_roots::INTEL_SGX;

pub use collateral::{Collateral, SignedDocument, TcbInfo};
pub use pck::PckFacts;

use crate::error::Hex;
use crate::x509::{Certificate, Crl, PublicKey, Revocation};
use crate::{Claim, Error, UnixTime, Vendor, Verified, vendor};

/// The certification data that are a chain of certificates in PEM.
const PCK_CHAIN: u16 = 5;

/// What a verified quote says, together with what its chain adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcapClaims {
    /// What was quoted.
    pub tee: Tee,
    /// The version of the quote.
    pub version: u16,
    /// The data that the requester had put in.
    pub report_data: [u8; 64],
    /// Tells whether the host can look into the enclave or the TD.
    pub debug: bool,
    /// The platform, as its certificate describes it.
    pub platform: PckFacts,
    /// What is known about the platform's TCB.
    pub tcb: TcbStatus,
    /// What is known about revocation of the chain.
    pub revocation: Revocation,
    /// Whether the quoting enclave was found to be Intel's, which only collateral can say.
    pub quoting_enclave_checked: bool,
}

/// The measurements of what was quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tee {
    /// An SGX enclave.
    Sgx {
        /// MRENCLAVE.
        mr_enclave: [u8; 32],
        /// MRSIGNER.
        mr_signer: [u8; 32],
        /// ISVPRODID.
        product_id: u16,
        /// ISVSVN.
        security_version: u16,
    },
    /// A TD.
    Tdx(Box<TdClaims>),
}

/// The measurements of a TD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdClaims {
    /// MRTD.
    pub mr_td: [u8; 48],
    /// MRSEAM.
    pub mr_seam: [u8; 48],
    /// The runtime measurement registers.
    pub rtmrs: [[u8; 48]; 4],
    /// TDATTRIBUTES.
    pub attributes: [u8; 8],
    /// XFAM.
    pub xfam: [u8; 8],
    /// TEE_TCB_SVN.
    pub tcb_svn: [u8; 16],
    /// MRCONFIGID.
    pub mr_config_id: [u8; 48],
    /// MROWNER.
    pub mr_owner: [u8; 48],
    /// MROWNERCONFIG.
    pub mr_owner_config: [u8; 48],
}

/// What is known about a platform's TCB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcbStatus {
    /// There was no collateral: nothing is known.
    Unchecked,
    /// Intel's collateral lists levels, and the platform is below every one of them.
    BelowEveryLevel,
    /// Intel's collateral says so.
    Judged {
        /// The status by its name in Intel's documents, `UpToDate`.
        status: String,
        /// The advisories that apply.
        advisories: Vec<String>,
    },
}

/// Verifies a quote's signatures up to Intel's root, as of the moment `at`; its TCB stays [`TcbStatus::Unchecked`].
pub fn verify(
    quote: &Quote<'_>,
    revocation_lists: &[Crl],
    at: UnixTime,
) -> Result<Verified<DcapClaims, Vendor>, Error> {
    check_body(quote)?;
    check_binding(quote)?;
    let chain = pck_chain(quote)?;
    let (leaf, pool) = chain.split_first().ok_or(Error::NoPckChain { kind: PCK_CHAIN })?;
    let root = vendor::root(&INTEL_SGX)?;
    let path = vendor::path(leaf, pool, &root, at)?;
    let revocation = path.check_revocation(revocation_lists, at)?;
    let platform = PckFacts::read(leaf)?;
    let key = leaf.public_key()?;
    check_raw(
        &key,
        "report of the quoting enclave",
        leaf.common_name(),
        quote.qe_report.as_bytes(),
        quote.qe_signature,
    )?;

    let claims = DcapClaims {
        tee: Tee::read(&quote.body),
        version: quote.version,
        report_data: quote.report_data(),
        debug: quote.is_debug(),
        platform,
        tcb: TcbStatus::Unchecked,
        revocation,
        quoting_enclave_checked: false,
    };
    Ok(Verified::new(claims, Vendor::Intel))
}

/// Verifies a quote and lets Intel's collateral judge its platform.
pub fn verify_with_collateral(
    quote: &Quote<'_>,
    collateral: &Collateral,
    at: UnixTime,
) -> Result<Verified<DcapClaims, Vendor>, Error> {
    let (mut claims, root) = verify(quote, &collateral.revocation_lists()?, at)?.into_parts();
    claims.tcb = collateral.judge(quote, &claims.platform, at)?;
    claims.quoting_enclave_checked = matches!(claims.tcb, TcbStatus::Judged { .. });
    Ok(Verified::new(claims, root))
}

/// Checks that the attestation key signed the header and the body; whose key it is, is left open.
pub fn check_body(quote: &Quote<'_>) -> Result<(), Error> {
    let (x, y) = quote.attestation_key.split_at(32);
    let key = EccPoint::new(EccCurve::P256, x, y)
        .map(PublicKey::Ecc)
        .map_err(|_| Error::UnsupportedKey { of: "the quote's attestation key".to_owned() })?;
    check_raw(&key, "quote", "its attestation key", quote.signed, quote.signature)
}

/// Checks that the quoting enclave's report commits to the attestation key: REPORTDATA is SHA-256 over the key and the
/// authentication data, then zeros.
pub fn check_binding(quote: &Quote<'_>) -> Result<(), Error> {
    let digest = RustCrypto::hash(HashAlg::Sha256, &[quote.attestation_key.as_slice(), quote.qe_authentication_data]);
    let mut expected = [0; 64];
    expected.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    let actual = quote.qe_report.report_data();
    if constant_time_eq(&actual, &expected) {
        return Ok(());
    }
    Err(Error::mismatch(Claim::AttestationKeyBinding, Hex(&expected), Hex(&actual)))
}

/// Checks r ‖ s over `message`.
fn check_raw(key: &PublicKey, of: &str, by: &str, message: &[u8], signature: &[u8; 64]) -> Result<(), Error> {
    let (r, s) = signature.split_at(32);
    let is_p256 = matches!(key, PublicKey::Ecc(point) if point.curve() == EccCurve::P256);
    if is_p256 && key.verifies_raw(HashAlg::Sha256, message, r, s) {
        return Ok(());
    }
    Err(Error::BadSignature { of: of.to_owned(), by: by.to_owned() })
}

/// Returns the certificates in the quote, the platform's first; without them nothing can be verified offline.
pub fn pck_chain(quote: &Quote<'_>) -> Result<Vec<Certificate>, Error> {
    let certification = quote.certification;
    if certification.kind != PCK_CHAIN {
        return Err(Error::NoPckChain { kind: certification.kind });
    }
    // Libraries leave a NUL behind the last line.
    let text = certification.data.iter().rposition(|byte| *byte != 0).and_then(|end| certification.data.get(..=end));
    Certificate::all_from(text.unwrap_or_default())
}

impl Tee {
    fn read(body: &Body<'_>) -> Self {
        match body {
            Body::Enclave(enclave) => Self::of_enclave(enclave),
            Body::Td(td) => Self::of_td(td),
        }
    }

    fn of_enclave(enclave: &Enclave<'_>) -> Self {
        Self::Sgx {
            mr_enclave: enclave.mr_enclave(),
            mr_signer: enclave.mr_signer(),
            product_id: enclave.product_id(),
            security_version: enclave.security_version(),
        }
    }

    fn of_td(td: &Td<'_>) -> Self {
        Self::Tdx(Box::new(TdClaims {
            mr_td: td.mr_td(),
            mr_seam: td.mr_seam(),
            rtmrs: td.rtmrs(),
            attributes: td.attributes(),
            xfam: td.xfam(),
            tcb_svn: td.tcb_svn(),
            mr_config_id: td.mr_config_id(),
            mr_owner: td.mr_owner(),
            mr_owner_config: td.mr_owner_config(),
        }))
    }
}
