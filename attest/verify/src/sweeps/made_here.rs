// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the evidence folder has no keys for, signed by keys of our own: CoRIM, measurements of Secure Execution, Hygon's chain.

use evtpm_evidence::corim::Corim;
use evtpm_evidence::csv::Version;

use super::{Subject, place};
use crate::{csv, reference, s390};

pub(super) fn subjects() -> Vec<Subject> {
    [vec![corim()], secure_execution(), hygon()].into_iter().flatten().collect()
}

fn corim() -> Subject {
    let (private, public) = reference::tests::keys();
    let bytes = reference::tests::signed(&private);
    // The outer tag and the lengths only frame the message; what they frame is swept.
    let corim = Corim::parse(&bytes).unwrap();
    let envelope = corim.envelope.unwrap();
    let parts = [place(&bytes, envelope.payload()), place(&bytes, envelope.signature())];
    Subject::new("a signed CoRIM".into(), bytes.clone(), move |bytes| {
        Corim::parse(bytes).is_ok_and(|corim| reference::verify(&corim, &public, "author").is_ok())
    })
    .in_parts(parts)
}

/// What the HMAC of a measurement covers, piece by piece, and the HMAC.
fn secure_execution() -> Vec<Subject> {
    let whole = s390::tests::Measured::new();
    let part = |name: &str, bytes: &[u8], put: fn(&mut s390::tests::Measured, &[u8])| {
        let whole = whole.clone();
        Subject::new(format!("a measurement of Secure Execution: {name}"), bytes.to_vec(), move |bytes| {
            let mut changed = whole.clone();
            put(&mut changed, bytes);
            changed.verify().is_ok()
        })
    };
    let header = part("header", &whole.header, |it, bytes| it.header = bytes.to_vec());
    vec![
        // Magic, version, sizes and lengths are no part of what is measured.
        header.in_part(224..whole.header.len()),
        part("measurement", &whole.measurement, |it, bytes| it.measurement = bytes.to_vec()),
        part("user data", &whole.user_data, |it, bytes| it.user_data = bytes.to_vec()),
        part("additional data", &whole.additional, |it, bytes| it.additional = bytes.to_vec()),
        part("configuration", &whole.config_uid, |it, bytes| it.config_uid = bytes.to_vec()),
        part("nonce", &whole.nonce, |it, bytes| it.nonce = bytes.try_into().unwrap()),
    ]
}

/// Reports of both versions, and each certificate above them.
fn hygon() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (version, signed, at) in [(Version::V1, 0xB4, 0xC0), (Version::V2, 0x400, 0x400)] {
        let hygon = csv::tests::Hygon::new();
        let page = hygon.report(version, 9);
        let believes = move |page: &[u8]| hygon.verify(version, page, &[9; 64]).is_ok();
        let subject = Subject::new(format!("a report of CSV {version:?}"), page, believes);
        subjects.push(subject.in_parts([0..signed, at..at + 144]));
    }
    // What is signed, and the signature; behind it stands what nobody looks at.
    type Part = fn(&mut csv::tests::Hygon) -> &mut Vec<u8>;
    let parts: [(&str, Part, usize); 3] = [
        ("HSK", |it| &mut it.signing, 0x240 + 144),
        ("CEK", |it| &mut it.chip, 0x414 + 8 + 144),
        ("PEK", |it| &mut it.platform, 0x414 + 8 + 144),
    ];
    for (name, part, size) in parts {
        let page = csv::tests::Hygon::new().report(Version::V2, 9);
        let bytes = part(&mut csv::tests::Hygon::new()).clone();
        let believes = move |bytes: &[u8]| {
            let mut changed = csv::tests::Hygon::new();
            *part(&mut changed) = bytes.to_vec();
            changed.verify(Version::V2, &page, &[9; 64]).is_ok()
        };
        subjects.push(Subject::new(format!("the certificate {name} of CSV"), bytes, believes).in_part(0..size));
    }
    subjects
}
