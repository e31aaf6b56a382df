// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Revocation lists by their authorities, and certificates that they are about.

use super::{Item, Subject, certificates, neighbour};
use crate::snp::Anchors;
use crate::x509::{Certificate, Crl, pem};

/// AMD's list, by the pinned root.
pub(super) fn amd(item: &Item) -> Vec<Subject> {
    let anchors = Anchors::amd().unwrap();
    lists(item, &anchors.roots().cloned().collect::<Vec<_>>())
}

/// Intel's lists: the root's, and that of an authority whose certificate came with another item's quote.
pub(super) fn intel(item: &Item) -> Vec<Subject> {
    let root = Certificate::all_from(item.file("intel_sgx_root.pem").unwrap()).unwrap();
    let quote = neighbour("dcap/tdx-v5-15/quote.bin");
    let (quote, _) = evtpm_evidence::quote::Quote::parse_prefix(&quote).unwrap();
    let authorities = [root.clone(), crate::dcap::pck_chain(&quote).unwrap()].concat();
    let lists = lists(item, &authorities);
    assert_eq!(lists.len(), 2);
    lists.into_iter().chain(certificates::below(item, &root, &root)).collect()
}

/// Host key documents, their signers and their lists.
pub(super) fn ibm(item: &Item) -> Vec<Subject> {
    let pool = item.certificates();
    certificates::below(item, &pool, &pool).into_iter().chain(lists(item, &pool)).collect()
}

fn lists(item: &Item, authorities: &[Certificate]) -> Vec<Subject> {
    let files = item.files.iter().filter(|(name, _)| name.ends_with("crl") || name.ends_with("crl.der"));
    let list = |(name, bytes): &(String, Vec<u8>)| {
        let der = if pem::is_pem(bytes) { pem::blocks(bytes, "X509 CRL", 1).ok()?.pop()? } else { bytes.clone() };
        let list = Crl::from_der(&der).ok()?;
        let authority = authorities.iter().find(|authority| list.check_signature(authority).is_ok())?.clone();
        Some(Subject::new(item.part(name), der, move |bytes| {
            Crl::from_der(bytes).is_ok_and(|list| list.check_signature(&authority).is_ok())
        }))
    };
    files.filter_map(list).collect()
}
