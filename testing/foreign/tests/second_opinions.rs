// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The crate `sev` and OpenSSL over the world's evidence: what they accept and refuse, against what we do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;

use evtpm_verify::UnixTime;
use evtpm_verify::snp::{Anchors, Collateral, VekKind, verify};
use evtpm_verify::x509::{Certificate, Path as CertificationPath};
use sev::certs::snp::{Certificate as SevCertificate, Chain, Verifiable, ca};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

const DAY: u64 = 24 * 60 * 60;

/// The evidence folder, or the reason for which the test is skipped.
fn evidence() -> Option<PathBuf> {
    let root = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// The certificates of AMD's authorities: root, intermediate of chips, intermediate of providers, for each product.
fn authorities(root: &Path) -> Vec<[Vec<u8>; 3]> {
    let der = |product: &str, name: String| {
        let pem = std::fs::read(root.join("amd-ca").join(product).join(name)).unwrap();
        Certificate::all_from(&pem).unwrap().remove(0).der().to_vec()
    };
    let one = |product: &&str| {
        let names = [format!("ark-{product}.pem"), format!("sev-{product}.pem"), format!("sev-vlek-{product}.pem")];
        names.map(|name| der(product, name))
    };
    ["milan", "genoa", "turin"].iter().map(one).collect()
}

/// Whether the crate accepts a report with an endorsement key, below any product's root.
fn sev_accepts(report: &[u8], key: &[u8], authorities: &[[Vec<u8>; 3]]) -> bool {
    let Ok(report) = AttestationReport::from_bytes(report) else { return false };
    let accepts = |[ark, ask, asvk]: &[Vec<u8>; 3]| {
        [ask, asvk].into_iter().any(|intermediate| {
            let chain = || {
                let certificate = |der: &[u8]| SevCertificate::from_der(der);
                let ca = ca::Chain { ark: certificate(ark)?, ask: certificate(intermediate)? };
                Ok::<_, std::io::Error>(Chain { ca, vek: certificate(key)? })
            };
            chain().is_ok_and(|chain| (&chain, &report).verify().is_ok())
        })
    };
    authorities.iter().any(accepts)
}

fn we_accept(report: &[u8], key: &Certificate, authorities: &[[Vec<u8>; 3]]) -> bool {
    let mut collateral = Collateral::new();
    authorities.iter().flatten().for_each(|der| collateral.add_certificates(der).unwrap());
    collateral.add_certificates(key.der()).unwrap();
    verify(report, &collateral, &Anchors::amd().unwrap(), UnixTime(key.validity().0.0 + DAY)).is_ok()
}

#[test]
fn the_crate_sev_agrees_about_every_report_with_every_key_beside_it() {
    let Some(root) = evidence() else { return };
    let authorities = authorities(&root);
    let (mut accepted, mut refused) = (0, 0);
    for item in folders(&root.join("snp")).into_iter().chain(folders(&root.join("az-vtpm"))) {
        let Ok(report) = std::fs::read(item.join("report.bin")) else { continue };
        let files = folders(&item).into_iter().filter(|file| {
            let name = file.file_name().unwrap().to_str().unwrap();
            (name.starts_with("vcek") || name.starts_with("vlek")) && !name.contains("chain.txt")
        });
        for file in files {
            let Ok(certificates) = Certificate::all_from(&std::fs::read(&file).unwrap()) else { continue };
            let Some(key) = certificates.iter().find(|one| VekKind::of_certificate(one).is_some()) else { continue };
            let ours = we_accept(&report, key, &authorities);
            assert_eq!(ours, sev_accepts(&report, key.der(), &authorities), "{}", file.display());
            if ours { accepted += 1 } else { refused += 1 }
        }
    }
    assert!(accepted >= 18 && refused >= 2, "{accepted} accepted, {refused} refused");
}

/// Whether `openssl verify` accepts a chain, the leaf first and the root last, at a moment.
fn openssl_accepts(chain: &[Certificate], at: UnixTime, folder: &Path) -> bool {
    let write = |name: &str, certificates: &[Certificate]| {
        let pem: String = certificates.iter().map(|certificate| pem(certificate.der())).collect();
        let path = folder.join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let (leaf, rest) = chain.split_first().unwrap();
    let (root, intermediates) = rest.split_last().unwrap();
    let [leaf, root] =
        [("leaf.pem", leaf), ("root.pem", root)].map(|(name, one)| write(name, std::slice::from_ref(one)));
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-partial_chain", "-attime", &at.0.to_string(), "-trusted"]).arg(root);
    if !intermediates.is_empty() {
        openssl.arg("-untrusted").arg(write("intermediates.pem", intermediates));
    }
    openssl.arg(leaf).output().unwrap().status.success()
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// The chains of the evidence folder, each from its leaf to its root, with the names of their items.
fn chains(root: &Path) -> Vec<(String, Vec<Certificate>)> {
    let mut chains = Vec::new();
    let mut add = |name: String, chain: Vec<Certificate>| chains.push((name, chain));
    for item in folders(&root.join("nvidia")) {
        let pem = std::fs::read(item.join("cert-chain.pem")).unwrap();
        add(item.display().to_string(), Certificate::all_from(&pem).unwrap());
    }
    for file in folders(&root.join("nvidia-rim/gh100")) {
        let manifest = evtpm_evidence::rim::Manifest::parse(&std::fs::read(&file).unwrap()).unwrap();
        let certificates = manifest.signature.certificates.iter().map(|der| Certificate::from_der(der).unwrap());
        add(file.display().to_string(), certificates.collect());
    }
    for item in folders(&root.join("nitro")) {
        let Ok(bytes) = std::fs::read(item.join("document.cbor")) else { continue };
        let document = evtpm_evidence::nitro::Document::parse(&bytes).unwrap();
        // The bundle starts with the root.
        let ders = std::iter::once(document.certificate).chain(document.cabundle.iter().rev().copied());
        add(item.display().to_string(), ders.map(|der| Certificate::from_der(der).unwrap()).collect());
    }
    for item in folders(&root.join("dcap")) {
        let Ok(bytes) = std::fs::read(item.join("quote.bin")) else { continue };
        let (quote, _) = evtpm_evidence::quote::Quote::parse_prefix(&bytes).unwrap();
        let Ok(chain) = evtpm_verify::dcap::pck_chain(&quote) else { continue };
        add(item.display().to_string(), chain);
    }
    chains
}

#[test]
fn openssl_agrees_about_every_chain_and_when_it_ends() {
    let Some(root) = evidence() else { return };
    if !Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: openssl is not installed");
        return;
    }
    let folder = std::env::temp_dir().join(format!("evtpm-second-opinions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for (name, chain) in chains(&root) {
        let (leaf, rest) = chain.split_first().unwrap();
        let last = rest.last().unwrap_or_else(|| panic!("{name}: no issuer"));
        let begin = UnixTime(chain.iter().map(|one| one.validity().0.0).max().unwrap() + 60);
        let end = UnixTime(chain.iter().map(|one| one.validity().1.0).min().unwrap() + 1);
        for at in [begin, end, UnixTime(begin.0 - 3600)] {
            let ours = CertificationPath::find(leaf, rest, [last]).and_then(|path| path.check_validity(at)).is_ok();
            assert_eq!(ours, openssl_accepts(&chain, at, &folder), "{name} at {at}");
            if ours { accepted += 1 } else { refused += 1 }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(accepted >= 15 && refused >= 30, "{accepted} accepted, {refused} refused");
}
