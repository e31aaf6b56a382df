// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SEV-SNP reports, their endorsement keys, and the signed endorsement of a launch.

use evtpm_evidence::uvm::Endorsement;
use evtpm_snp::Report;

use super::{Item, Subject, certificates, neighbour, position};
use crate::snp::{Anchors, Collateral, EndorsementKey, VekKind, verify_with};
use crate::x509::Certificate;
use crate::{UnixTime, endorsement};

const DAY: u64 = 24 * 60 * 60;

pub(super) fn subjects(item: &Item) -> Vec<Subject> {
    let report = item.file("report.bin").unwrap();
    let Some((key, at)) = endorsement_key(item, report) else { return Vec::new() };
    // The rest of the signature's field has to be zeros.
    let report =
        Subject::new(item.part("report.bin"), report.to_vec(), move |bytes| verify_with(bytes, &key, at).is_ok());
    let keys = certificates::below(item, &item.certificates(), &authorities());
    let endorsements = item.files.iter().filter(|(name, _)| name.ends_with(".cose"));
    let endorsements = endorsements.flat_map(|(name, bytes)| endorsement(&item.part(name), bytes));
    [report].into_iter().chain(keys).chain(endorsements).collect()
}

/// Verifies the chain of the item's certificates, which the sweep of a report leaves alone.
pub(super) fn endorsement_key(item: &Item, report: &[u8]) -> Option<(EndorsementKey, UnixTime)> {
    let kind = VekKind::of_report(&Report::parse(report).unwrap()).unwrap();
    let mut collateral = Collateral::new();
    let certificates = item.certificates();
    for certificate in authorities().iter().chain(&certificates) {
        collateral.add_certificates(certificate.der()).unwrap();
    }
    let keys = certificates.iter().filter(|certificate| VekKind::of_certificate(certificate) == Some(kind));
    let mut keys = keys.filter_map(|certificate| {
        let at = UnixTime(certificate.validity().0.0 + DAY);
        Some((EndorsementKey::verify(certificate, &collateral, &Anchors::amd().unwrap(), at).ok()?, at))
    });
    keys.find(|(key, at)| verify_with(report, key, *at).is_ok())
}

/// The intermediates that a key distribution service would send along.
fn authorities() -> Vec<Certificate> {
    let mut all = Vec::new();
    for product in ["milan", "genoa", "turin"] {
        for key in ["sev", "sev-vlek", "ark"] {
            let name = if key == "ark" { format!("ark-{product}.pem") } else { format!("{key}-{product}.pem") };
            all.extend(Certificate::all_from(&neighbour(&format!("amd-ca/{product}/{name}"))).unwrap());
        }
    }
    all
}

fn endorsement(name: &str, bytes: &[u8]) -> Vec<Subject> {
    let parsed = Endorsement::parse(bytes).unwrap();
    let chain = parsed.envelope.x5chain().unwrap();
    let leaf = Certificate::from_der(chain[0]).unwrap();
    let at = UnixTime(leaf.validity().0.0 + DAY);
    endorsement::verify(&parsed, parsed.issuer, at).unwrap();
    // The chain was verified above; the sweep costs one signature for each change.
    let key = leaf.public_key().unwrap();
    // The protected header has the chain; behind it stands what is not signed, and not looked at.
    let header = 8..position(bytes, chain.last().unwrap()).end;
    let parts = [header, position(bytes, parsed.envelope.payload()), position(bytes, parsed.envelope.signature())];
    let believes = move |bytes: &[u8]| {
        Endorsement::parse(bytes)
            .is_ok_and(|parsed| crate::cose::check("endorsement", &parsed.envelope, &key, "leaf").is_ok())
    };
    let of = |(n, part)| {
        let (name, believes) = (format!("{name} part {n}"), believes.clone());
        Subject::new(name, bytes.to_vec(), believes).in_part(part)
    };
    parts.into_iter().enumerate().map(of).collect()
}
