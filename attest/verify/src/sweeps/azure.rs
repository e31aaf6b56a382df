// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Azure's chain: the report or the quote, the paravisor's claims that it commits to, and a quote by the key among them.

use evtpm_evidence::hcl::{HardwareReport, HclReport};
use evtpm_evidence::quote::Quote as TdQuote;
use evtpm_logs::{HashId, PcrSet};

use super::quotes::Stored;
use super::{Item, Subject, begin, intel, place, snp};
use crate::tpm::{Selection, TrustedAk};
use crate::{azure, dcap, snp as sev};

/// Follows the chain from an HCL report to the attestation key.
type Key = std::sync::Arc<dyn Fn(&[u8]) -> Option<TrustedAk> + Send + Sync>;

pub(super) fn subjects(item: &Item) -> Vec<Subject> {
    let bytes = item.file("hcl-report.bin").unwrap();
    let hcl = HclReport::parse(bytes).unwrap();
    let claims = place(bytes, hcl.runtime_claims);
    let Some((key, signed)) = chain(item, &hcl) else {
        // One item has the certificate of another chip: only its claims are bound, to a report that nobody vouches for.
        let believes = |bytes: &[u8]| HclReport::parse(bytes).is_ok_and(|hcl| check_claims(&hcl).is_ok());
        return vec![Subject::new(item.part("claims"), bytes.to_vec(), believes).in_part(claims)];
    };
    let mut all = Vec::new();
    for (name, part) in [("claims", Some(claims)), ("report", signed.map(|signed| place(bytes, signed)))] {
        let key = key.clone();
        let subject = Subject::new(item.part(name), bytes.to_vec(), move |bytes| key(bytes).is_some());
        all.extend(part.map(|part| subject.in_part(part)));
    }
    all.extend(item.file("td-quote.bin").map(|quote| intel::quote(item, quote).expect("a chain")));
    let ak = key(bytes).unwrap();
    all.extend(stored(item, ak).map(|quote| quote.subjects(&item.part("quote"))).unwrap_or_default());
    all
}

fn check_claims(hcl: &HclReport<'_>) -> Result<(), crate::Error> {
    let HardwareReport::Snp(report) = hcl.report else { unreachable!("a report of SEV-SNP") };
    azure::check_claims(hcl, evtpm_snp::Report::parse(report).unwrap().report_data())
}

/// Returns how the item's chain is followed, and the part of the HCL report that the chip signed.
fn chain<'a>(item: &Item, hcl: &HclReport<'a>) -> Option<(Key, Option<&'a [u8]>)> {
    match hcl.report {
        HardwareReport::Snp(report) => {
            let (vcek, at) = snp::endorsement_key(item, report)?;
            let key = move |bytes: &[u8]| {
                let hcl = HclReport::parse(bytes).ok()?;
                let HardwareReport::Snp(report) = hcl.report else { return None };
                azure::bind_snp(&hcl, sev::verify_with(report, &vcek, at).ok()?).ok()
            };
            Some((std::sync::Arc::new(key), Some(report)))
        }
        HardwareReport::Tdx(_) => {
            let (quote, _) = TdQuote::parse_prefix(item.file("td-quote.bin")?).unwrap();
            let quote = dcap::verify(&quote, &[], begin(&dcap::pck_chain(&quote).unwrap())).unwrap();
            let key = move |bytes: &[u8]| azure::bind_tdx(&HclReport::parse(bytes).ok()?, quote.clone()).ok();
            Some((std::sync::Arc::new(key), None))
        }
    }
}

fn stored(item: &Item, key: TrustedAk) -> Option<Stored> {
    let quote = item.json("tpm-quote.json")?;
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    let asked = Selection::new().with(HashId::SHA256, PcrSet::from_mask(0x00FF_FFFF).unwrap()).unwrap();
    Some(Stored {
        key,
        message: bytes(&quote["message"]),
        signature: super::quotes::rsassa(&bytes(&quote["signature"])),
        values: quote["pcrs_sha256"].as_array().unwrap().iter().map(bytes).collect(),
        asked: Some(asked),
    })
}
