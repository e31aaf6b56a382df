// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `amd-ca`: the root and the two intermediates of a product line.

use anyhow::{Result, bail};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_verify::x509::Certificate;
use serde::Deserialize;

use super::{serial, shown};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    certs: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    cn: String,
    serial: String,
    sha256: String,
    not_after: String,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let mut certificates = Vec::new();
    for (_, bytes) in store.files() {
        certificates.extend(Certificate::all_from(bytes)?);
    }
    let Some(root) = certificates.iter().find(|certificate| certificate.is_self_issued()) else {
        bail!("the item has no root");
    };
    let fingerprint =
        |certificate: &Certificate| hex(RustCrypto::hash(HashAlg::Sha256, &[certificate.der()]).as_bytes());
    let pinned = evtpm_roots::AMD.iter().any(|pinned| hex(&pinned.ark_sha256) == fingerprint(root));
    findings.holds("root is pinned", pinned);
    for expected in &expect.certs {
        let Some(certificate) = certificates.iter().find(|certificate| certificate.common_name() == expected.cn) else {
            findings.fail(&expected.cn, "no such certificate".to_owned());
            continue;
        };
        let what = |fact: &str| format!("{} {fact}", expected.cn);
        findings.equal(&what("serial"), &expected.serial, &serial(certificate.serial()));
        findings.equal(&what("fingerprint"), &expected.sha256, &fingerprint(certificate));
        findings.equal(&what("end"), &expected.not_after, &shown(certificate.validity().1));
        findings.accepted(&what("signature"), certificate.check_signed_by(root));
        findings.accepted(&what("authority"), certificate.check_is_authority(0));
    }
    Ok(())
}
