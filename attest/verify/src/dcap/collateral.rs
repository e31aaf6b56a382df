// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel's collateral (*Intel PCS API*, "Get TCB Info", "Get Quoting Enclave Identity"): signed documents about TCBs and
//! enclaves, with lists of revoked certificates.

use dcap_qvl::QuoteCollateralV3;
use evtpm_evidence::quote::{Body, Quote};
use evtpm_roots::INTEL_SGX;

use super::pck::PckFacts;
use super::{TcbStatus, check_raw, level};
use crate::x509::{Certificate, Crl};
use crate::{Error, UnixTime, vendor};

/// Collateral for one platform, none of it believed yet.
#[derive(Clone, Debug)]
pub struct Collateral {
    /// What Intel knows about the TCBs of the platform's kind.
    pub tcb_info: SignedDocument,
    /// What Intel knows about its quoting enclave.
    pub qe_identity: SignedDocument,
    /// The list of the root, DER.
    pub root_crl: Vec<u8>,
    /// The list of the authority that issued the platform's certificate, DER.
    pub pck_crl: Vec<u8>,
    /// The chain of that authority, PEM.
    pub pck_crl_issuer_chain: String,
}

/// A JSON text as Intel signed it, byte for byte.
#[derive(Clone, Debug)]
pub struct SignedDocument {
    /// The text.
    pub text: String,
    /// r ‖ s of P-256.
    pub signature: Vec<u8>,
    /// The chain of the signing key, PEM.
    pub issuer_chain: String,
}

/// The beginning of every document of Intel's, as [`SignedDocument::facts`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcbInfo {
    /// `SGX`, `TDX`, `QE` or `TD_QE`.
    pub id: String,
    /// When the document was made, RFC 3339.
    pub issue_date: String,
    /// When it will be replaced, RFC 3339.
    pub next_update: String,
    /// The number that rises with each recovery event.
    pub evaluation_data_number: u32,
    /// The kind of platform; none in an enclave's identity.
    pub fmspc: Option<String>,
}

impl SignedDocument {
    /// Checks that a key below Intel's root signed the text.
    pub fn check(&self, at: UnixTime) -> Result<(), Error> {
        let chain = Certificate::all_from(self.issuer_chain.as_bytes())?;
        let root = vendor::root(&INTEL_SGX)?;
        let missing =
            || Error::MissingIssuer { of: "signed document".to_owned(), issuer: "a TCB signing key".to_owned() };
        let (leaf, pool) = chain.split_first().ok_or_else(missing)?;
        vendor::path(leaf, pool, &root, at)?;
        let signature = self
            .signature
            .as_slice()
            .try_into()
            .map_err(|_| Error::BadSignature { of: "signed document".to_owned(), by: leaf.common_name().to_owned() })?;
        check_raw(&leaf.public_key()?, "signed document", leaf.common_name(), self.text.as_bytes(), signature)
    }

    /// Checks that the document is made and not replaced at `at`.
    fn check_current(&self, at: UnixTime) -> Result<(), Error> {
        let TcbInfo { id, issue_date, next_update, .. } = self.facts()?;
        let moment = |text: &str| text.parse().ok().map(|time: der::DateTime| time.unix_duration().as_secs());
        match (moment(&issue_date), moment(&next_update)) {
            (Some(from), Some(until)) if (from..=until).contains(&at.0) => Ok(()),
            _ => {
                let detail = format!("the document {id} is good from {issue_date} to {next_update}, and it is {at}");
                Err(Error::Collateral { detail })
            }
        }
    }

    /// Reads the beginning of the document, which nothing vouches for yet.
    pub fn facts(&self) -> Result<TcbInfo, Error> {
        let facts = evtpm_evidence::pcs::Facts::parse(&self.text)?;
        Ok(TcbInfo {
            id: facts.id,
            issue_date: facts.issue_date,
            next_update: facts.next_update,
            evaluation_data_number: facts.evaluation_data_number,
            fmspc: facts.fmspc,
        })
    }
}

impl Collateral {
    /// Parses the revocation lists.
    pub(super) fn revocation_lists(&self) -> Result<Vec<Crl>, Error> {
        Ok(vec![Crl::from_der(&self.root_crl)?, Crl::from_der(&self.pck_crl)?])
    }

    /// Lets `dcap-qvl` verify the quote and judge its TCB, and compares what it read with what we read.
    ///
    /// Both have to find a level for the platform, or neither: then it is below every level.
    pub(super) fn judge(&self, quote: &Quote<'_>, platform: &PckFacts, at: UnixTime) -> Result<TcbStatus, Error> {
        let refused = |error: &dyn core::fmt::Display| Error::Collateral { detail: error.to_string() };
        let verified = match dcap_qvl::verify::rustcrypto::verify(quote.bytes, &self.as_theirs(), at.0) {
            Ok(verified) => verified,
            // The signatures of the quote were verified before; those of the documents are what this judgement rests on.
            Err(_) if !level::exists(&self.tcb_info.text, quote, platform)? => {
                for document in [&self.tcb_info, &self.qe_identity] {
                    document.check(at)?;
                    document.check_current(at)?;
                }
                return Ok(TcbStatus::BelowEveryLevel);
            }
            Err(error) => return Err(refused(&format!("{error:#}"))),
        };
        if !level::exists(&self.tcb_info.text, quote, platform)? {
            return Err(refused(&"dcap-qvl finds a TCB level for the platform, and there is none"));
        }
        if !agrees(quote, &verified.report) {
            return Err(refused(&"dcap-qvl reads other claims from the quote"));
        }
        Ok(TcbStatus::Judged { status: verified.status, advisories: verified.advisory_ids })
    }

    fn as_theirs(&self) -> QuoteCollateralV3 {
        QuoteCollateralV3 {
            pck_crl_issuer_chain: self.pck_crl_issuer_chain.clone(),
            root_ca_crl: self.root_crl.clone(),
            pck_crl: self.pck_crl.clone(),
            tcb_info_issuer_chain: self.tcb_info.issuer_chain.clone(),
            tcb_info: self.tcb_info.text.clone(),
            tcb_info_signature: self.tcb_info.signature.clone(),
            qe_identity_issuer_chain: self.qe_identity.issuer_chain.clone(),
            qe_identity: self.qe_identity.text.clone(),
            qe_identity_signature: self.qe_identity.signature.clone(),
            pck_certificate_chain: None,
        }
    }
}

/// Tells whether the other parser found the same measurements and the same data.
fn agrees(quote: &Quote<'_>, theirs: &dcap_qvl::quote::Report) -> bool {
    match &quote.body {
        Body::Enclave(ours) => theirs.as_sgx().is_some_and(|theirs| {
            theirs.mr_enclave == ours.mr_enclave()
                && theirs.mr_signer == ours.mr_signer()
                && theirs.attributes == ours.attributes()
                && theirs.report_data == ours.report_data()
        }),
        Body::Td(ours) => theirs.as_td10().is_some_and(|theirs| {
            let rtmrs = [theirs.rt_mr0, theirs.rt_mr1, theirs.rt_mr2, theirs.rt_mr3];
            theirs.mr_td == ours.mr_td()
                && theirs.mr_seam == ours.mr_seam()
                && theirs.td_attributes == ours.attributes()
                && theirs.xfam == ours.xfam()
                && rtmrs == ours.rtmrs()
                && theirs.report_data == ours.report_data()
        }),
    }
}
