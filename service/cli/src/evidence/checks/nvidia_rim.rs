// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `nvidia-rim`: NVIDIA's reference integrity manifests; the names of the files say which are bad.

use anyhow::Result;
use evtpm_evidence::rim::Manifest;
use evtpm_verify::rim::{ReferenceMeasurements, check_chain, check_signature, verify};
use evtpm_verify::x509::Certificate;
use evtpm_verify::{Error, UnixTime, Vendor, Verified};
use serde::Deserialize;

use super::DAY;
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};

#[derive(Debug, Deserialize)]
struct Expect {
    signature: Option<String>,
    notes: Option<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    for (name, bytes) in manifests(store) {
        let verdict = Manifest::parse(bytes).map_err(Error::from).and_then(|manifest| check_one(&manifest));
        if is_of_another_device(name, expect.notes.as_deref()) {
            match verdict {
                Ok(_) => findings.pass(&format!("{name} is as it was signed")),
                Err(error) => findings.pass(&format!("{name} (refused: {error})")),
            }
            continue;
        }
        let is_good = !is_bad(name) && !is_bad(&item.id) && expect.signature.as_deref().unwrap_or("valid") == "valid";
        let Some(last) = findings.verdict(name, if is_good { "valid" } else { "INVALID" }, verdict) else { continue };
        findings.refused(&format!("{name}, a day after its signer's certificate ended"), last);
    }
    Ok(())
}

/// Tells whether a manifest is named for measurements that differ from a device's: it may be good all the same, unless the
/// index says that it was edited.
fn is_of_another_device(name: &str, notes: Option<&str>) -> bool {
    name.contains("measurement_mismatch") && !notes.is_some_and(|notes| notes.contains("edited"))
}

/// The manifests of an item, by the endings of their names.
pub(super) fn manifests(store: &Store) -> impl Iterator<Item = (&str, &[u8])> {
    store.files().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        [".xml", ".swidtag", ".rim"].iter().any(|ending| name.ends_with(ending))
    })
}

/// Verifies a manifest at a moment at which all of its chain is valid.
pub(super) fn verified(bytes: &[u8]) -> Result<Verified<ReferenceMeasurements, Vendor>, Error> {
    let manifest = Manifest::parse(bytes)?;
    let begin = check_signature(&manifest)?.iter().map(|certificate| certificate.validity().0.0).max().unwrap_or(0);
    verify(&manifest, UnixTime(begin + DAY))
}

/// Verifies a manifest at a moment at which all of its chain is valid; returns the verdict of a day at which its signer's
/// certificate is not any more.
fn check_one(manifest: &Manifest) -> Result<Result<(), Error>, Error> {
    let chain = check_signature(manifest)?;
    let begin = chain.iter().map(|certificate| certificate.validity().0.0).max().unwrap_or(0);
    verify(manifest, UnixTime(begin + DAY))?;
    let end = chain.first().map_or(0, |signer: &Certificate| signer.validity().1.0);
    Ok(check_chain(&chain, UnixTime(end + DAY)))
}
