// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `s390-se`: what `pvattest` exchanges, and host key documents with their chain and lists, good and bad.

use anyhow::{Context, Result};
use evtpm_evidence::s390::{Exchange, ImageHeader, request_sizes};
use evtpm_verify::UnixTime;
use evtpm_verify::s390::verify_host_key;
use evtpm_verify::x509::{Certificate, Crl, Revocation};

use super::DAY;
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    item.expects_nothing(findings)?;
    check_formats(store, findings);
    if store.files().any(|(name, _)| name.starts_with("host") && name.ends_with(".crt")) {
        check_host_keys(store, findings)?;
    }
    Ok(())
}

fn check_formats(store: &Store, findings: &mut Findings) {
    let mut exchanges = 0;
    for (name, bytes) in store.files().filter(|(name, _)| name.ends_with(".bin") || name.ends_with(".hdr")) {
        match name {
            "arcb.bin" => {
                let sizes = findings.accepted(name, request_sizes(bytes));
                findings.holds("key slots of the request", sizes.is_some_and(|sizes| sizes.key_slots > 0));
            }
            "keyslot.bin" => findings.equal(name, &80, &bytes.len()),
            _ if name.ends_with(".hdr") => {
                findings.accepted(name, ImageHeader::parse(bytes));
            }
            _ => {
                exchanges += 1;
                let Some(exchange) = findings.accepted(name, Exchange::parse(bytes)) else { continue };
                let answered = exchange.measurement.is_some() && exchange.config_uid.is_some();
                findings.equal(&format!("{name}: has an answer"), &!name.contains("req"), &answered);
            }
        }
    }
    if exchanges > 0 {
        findings.not_checkable("measurements are HMACs by the maker of the request");
    }
}

/// The certificates by the roles that the names of the files give them.
struct Pki<'a> {
    store: &'a Store,
    root: Certificate,
    pool: Vec<Certificate>,
    at: UnixTime,
}

impl Pki<'_> {
    fn certificate(&self, name: &str) -> Result<Certificate> {
        Certificate::all_from(self.store.file(name)?)?.pop().context("an empty file")
    }

    fn list(&self, name: &str) -> Result<Crl> {
        Crl::all_from(self.store.file(name)?)?.pop().context("an empty file")
    }

    fn verify(&self, document: &str, signer: &str, lists: &[&str]) -> Result<Revocation> {
        let lists = lists.iter().map(|name| self.list(name)).collect::<Result<Vec<_>>>()?;
        let (document, signer) = (self.certificate(document)?, self.certificate(signer)?);
        let verified = verify_host_key(&document, &signer, &self.pool, &self.root, &lists, self.at)?;
        Ok(verified.revocation)
    }
}

fn check_host_keys(store: &Store, findings: &mut Findings) -> Result<()> {
    let read = |name: &str| -> Result<Certificate> {
        Certificate::all_from(store.file(name)?)?.pop().context("an empty file")
    };
    let (root, inter) = (read("root_ca.crt")?, read("inter_ca.crt")?);
    let at = UnixTime(root.validity().0.0.max(inter.validity().0.0) + DAY);
    let pki = Pki { store, root, pool: vec![inter], at };
    let lists = ["ibm.crl", "inter_ca.crl", "root_ca.crl"];
    for (name, _) in store.files().filter(|(name, _)| name.starts_with("host") && name.ends_with(".crt")) {
        let signer = if name.contains("armonk") { "ibm_armonk.crt" } else { "ibm.crt" };
        let verdict = pki.verify(name, signer, &lists);
        if name.contains("expired") || name.contains("rev") {
            findings.refused(name, verdict);
        } else if let Some(revocation) = findings.accepted(name, verdict) {
            // The signing key of Armonk has no list here, so that nothing is known about its documents.
            let known = matches!(revocation, Revocation::Checked { .. });
            findings.equal(&format!("{name}: revocation is checked"), &!name.contains("armonk"), &known);
        }
    }
    for signer in ["ibm_expired.crt", "ibm_rev.crt"] {
        if store.find(signer).is_some() {
            findings.refused(signer, pki.verify("host.crt", signer, &lists));
        }
    }
    for (name, _) in store.files().filter(|(name, _)| name.ends_with(".crl") && !lists.contains(name)) {
        // A list that is not current, or not signed by whom it names, tells nothing about the document.
        let others = lists.iter().copied().filter(|list| !name.starts_with(list.trim_end_matches(".crl")));
        let with: Vec<&str> = others.chain([name]).collect();
        let checked =
            pki.verify("host.crt", "ibm.crt", &with).is_ok_and(|known| matches!(known, Revocation::Checked { .. }));
        findings.holds(&format!("{name} is not taken for a current list"), !checked);
    }
    Ok(())
}
