// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `corim`: reference values and trust anchors as CoRIM; the names of the files say which are bad.

use anyhow::Result;
use evtpm_evidence::corim::Corim;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    item.expects_nothing(findings)?;
    let mut signed = 0;
    for (name, bytes) in store.files() {
        let parsed = Corim::parse(bytes);
        if is_bad(name) {
            findings.refused(name, parsed);
            continue;
        }
        let Some(corim) = findings.accepted(name, parsed) else { continue };
        findings.equal(&format!("{name}: signed"), &name.starts_with("signed"), &corim.envelope.is_some());
        signed += usize::from(corim.envelope.is_some());
    }
    if signed > 0 {
        findings.not_checkable("signatures: the signers' keys are not in the item");
    }
    Ok(())
}
