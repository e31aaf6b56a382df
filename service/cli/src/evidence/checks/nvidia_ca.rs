// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `nvidia-ca`: NVIDIA's roots.

use anyhow::Result;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_verify::x509::Certificate;
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    device_root_sha256: Option<String>,
    rim_root_sha256: Option<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let pinned = [evtpm_roots::NVIDIA_DEVICE, evtpm_roots::NVIDIA_RIM];
    for (name, bytes) in store.files() {
        for certificate in Certificate::all_from(bytes)? {
            let digest = RustCrypto::hash(HashAlg::Sha256, &[certificate.der()]);
            let known = pinned.iter().find(|root| digest.as_bytes() == root.sha256);
            findings.holds(&format!("{name} is pinned"), known.is_some());
            findings.accepted(&format!("{name} signs itself"), certificate.check_signed_by(&certificate));
            let expected = if name.contains("rim") { &expect.rim_root_sha256 } else { &expect.device_root_sha256 };
            findings.equal_if(&format!("{name}: fingerprint"), expected.as_ref(), &hex(digest.as_bytes()));
        }
    }
    Ok(())
}
