// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `amd-crl`: what a product line's root has revoked.

use anyhow::{Result, bail};
use evtpm_verify::snp::Anchors;
use evtpm_verify::x509::Crl;
use serde::Deserialize;

use super::{serial, shown};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};

#[derive(Debug, Deserialize)]
struct Expect {
    this_update: Option<String>,
    next_update: Option<String>,
    revoked: Option<Vec<String>>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let mut lists = Vec::new();
    for (_, bytes) in store.files() {
        lists.extend(Crl::all_from(bytes)?);
    }
    let [first, others @ ..] = lists.as_slice() else { bail!("the item has no revocation list") };
    findings.holds("every file is one list", others.iter().all(|other| other == first));

    let anchors = Anchors::amd()?;
    let authority = anchors.roots().find(|root| first.names_issuer(root));
    let verdict = authority.map(|authority| first.check_signature(authority));
    findings.accepted("signature by a pinned root", verdict.unwrap_or_else(|| Err(unknown_issuer())));
    findings.equal_if("this update", expect.this_update.as_ref(), &shown(first.this_update()));
    let next_update = first.next_update().map(shown).unwrap_or_default();
    findings.equal_if("next update", expect.next_update.as_ref(), &next_update);
    let revoked: Vec<String> = first.revoked_serials().map(serial).collect();
    findings.equal_if("revoked", expect.revoked.as_ref(), &revoked);
    Ok(())
}

fn unknown_issuer() -> evtpm_verify::Error {
    evtpm_verify::Error::MissingIssuer { of: "revocation list".to_owned(), issuer: "a pinned root of AMD".to_owned() }
}
