// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tpm-ek-ca`: certificates of TPM vendors, some of which break DER, and chains of EK and AK certificates below them.

use anyhow::Result;
use evtpm_verify::UnixTime;
use evtpm_verify::x509::{CertificateStore, Path};
use serde::Deserialize;

use super::DAY;
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};

#[derive(Debug, Deserialize)]
struct Expect {
    /// The number of files.
    certificates: Option<usize>,
    not_strict_der: Option<Vec<String>>,
    chain: Option<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let mut certificates = CertificateStore::new();
    let mut files = 0_usize;
    for (name, bytes) in store.files() {
        certificates.add(name, bytes);
        files += 1;
    }
    findings.equal_if("certificates", expect.certificates.as_ref(), &files);
    let refused = certificates.refused().map(|(name, _)| name);
    let mut broken: Vec<String> = certificates.lax().chain(refused).map(str::to_owned).collect();
    broken.sort_unstable();
    findings.equal("files that break DER", &expect.not_strict_der.clone().unwrap_or_default(), &broken);
    if let Some(expected) = &expect.chain {
        check_chains(&certificates, expected, findings);
    }
    Ok(())
}

/// Every leaf has a chain up to a root of the store, a day after it begins to be valid; without leaves, every authority has.
fn check_chains(certificates: &CertificateStore, expected: &str, findings: &mut Findings) {
    let (roots, others): (Vec<_>, Vec<_>) = certificates.iter().partition(|certificate| certificate.is_self_issued());
    let leaves = others.iter().filter(|certificate| certificate.check_is_end_entity().is_ok());
    let leaves: Vec<_> = leaves.copied().collect();
    let checked = if leaves.is_empty() { &others } else { &leaves };
    for certificate in checked {
        let path = Path::find(certificate, others.iter().copied(), roots.iter().copied());
        let at = UnixTime(certificate.validity().0.0 + DAY);
        let verdict = path.and_then(|path| path.check_validity(at));
        findings.verdict(&format!("chain of {}", certificate.common_name()), expected, verdict);
    }
    findings.holds("chains", !checked.is_empty());
}
