// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `dcap-collateral`: answers of Intel's service without a quote.

use anyhow::Result;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_verify::x509::{Certificate, Crl};

use super::dcap::check_answers;
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    item.expects_nothing(findings)?;
    let mut authorities = Vec::new();
    for (name, bytes) in store.files().filter(|(name, _)| name.ends_with(".pem")) {
        let Some(found) = findings.accepted(name, Certificate::all_from(bytes)) else { continue };
        for certificate in found.iter().filter(|certificate| certificate.is_self_issued()) {
            let fingerprint = RustCrypto::hash(HashAlg::Sha256, &[certificate.der()]);
            findings.holds(&format!("{name} is pinned"), fingerprint.as_bytes() == evtpm_roots::INTEL_SGX.sha256);
        }
        authorities.extend(found);
    }
    for (name, bytes) in store.files().filter(|(name, _)| name.contains("crl") && name.ends_with(".der")) {
        let Some(list) = findings.accepted(name, Crl::from_der(bytes)) else { continue };
        match authorities.iter().find(|authority| list.names_issuer(authority)) {
            Some(authority) => {
                findings.accepted(&format!("signature of {name}"), list.check_signature(authority));
            }
            None => findings.not_checkable(&format!("{name}: its authority's certificate is not in the item")),
        }
    }
    check_answers(store, findings)
}
