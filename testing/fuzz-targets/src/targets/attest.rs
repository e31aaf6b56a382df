// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verifier reads beside reports and logs: certificates, revocation lists, files to measure, results.

use evtpm_appraise::{Appraisal, UnixTime};
use evtpm_crypto::{EntropyError, Rng};
use evtpm_measure::{elf, igvm, ovmf};
use evtpm_result::{Algorithm, Context, Ear, SigningKey, Token};
use evtpm_sp_sim::{Authority, Product, RevocationList, Role};
use evtpm_verify::logs::Progress;
use evtpm_verify::{
    snp::{Anchors, Collateral, EndorsementKey},
    x509::{Certificate, Crl},
};

use crate::seeds::evidence;

const NOW: UnixTime = UnixTime(1_767_312_000);

/// Parses certificates and follows each as far as its chain goes: none can be both changed and believed.
pub(super) fn certificate(input: &[u8]) -> bool {
    let Ok(certificates) = Certificate::all_from(input) else { return false };
    let (Ok(anchors), collateral) = (Anchors::amd(), Collateral::new()) else { return false };
    for certificate in &certificates {
        assert_eq!(Certificate::from_der(certificate.der()).as_ref(), Ok(certificate));
        let _key = certificate.public_key();
        let _chain = EndorsementKey::verify(certificate, &collateral, &anchors, NOW);
    }
    !certificates.is_empty()
}

pub(super) fn certificate_seeds() -> Vec<Vec<u8>> {
    let pinned = evtpm_roots::AMD.iter().flat_map(|root| [root.ark_pem, root.ask_pem]);
    let mut seeds: Vec<Vec<u8>> = pinned.map(|pem| pem.as_bytes().to_vec()).collect();
    seeds.extend(Authority::new(Product::Turin).certificate(Role::Ask));
    seeds.extend(evidence("snp", ".der"));
    seeds
}

/// Parses revocation lists and checks each against a root that did not sign it.
pub(super) fn revocation_list(input: &[u8]) -> bool {
    let Ok(lists) = Crl::all_from(input) else { return false };
    for root in &evtpm_roots::AMD {
        let authorities = Certificate::all_from(root.ark_pem.as_bytes()).unwrap_or_default();
        for (authority, list) in
            authorities.iter().flat_map(|authority| lists.iter().map(move |list| (authority, list)))
        {
            let _names_it = list.names_issuer(authority);
            let _verdict = list.check(authority, authority, NOW);
        }
    }
    !lists.is_empty()
}

pub(super) fn revocation_list_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = made_list().into_iter().collect();
    seeds.extend(evidence("amd-crl", ".der"));
    seeds
}

/// Reads where a boot's logs stand, as a store has it: what is read is written as it was.
pub(super) fn progress(input: &[u8]) -> bool {
    let Some(progress) = Progress::from_bytes(input) else { return false };
    assert_eq!(Progress::from_bytes(&progress.to_bytes()).as_ref(), Some(&progress));
    let _entries = progress.entries();
    true
}

pub(super) fn progress_seeds() -> Vec<Vec<u8>> {
    // Version 1, an aggregate of SHA-256 that was recomputed, two entries, register 10, of one bank with one value.
    let mut seed = vec![1, 1, 0, 11];
    seed.extend(2_u64.to_be_bytes());
    seed.extend(0_u64.to_be_bytes());
    seed.extend(0x400_u32.to_be_bytes());
    seed.extend([0, 11, 0]);
    seed.extend(0x400_u32.to_be_bytes());
    seed.extend([7; 32]);
    vec![seed]
}

fn made_list() -> Option<Vec<u8>> {
    let at = |seconds| evtpm_sp_sim::UnixTime(seconds);
    let (this_update, next_update) = (at(NOW.0), at(NOW.0 + 1000));
    let list = RevocationList { number: 4, this_update, next_update, revoked: vec![(0x1_0001, this_update)] };
    list.sign(&Authority::new(Product::Milan)).ok()
}

/// Measures an executable; what can be launched has one digest.
pub(super) fn elf_launch(input: &[u8]) -> bool {
    elf::launch(input, None).is_ok_and(|launch| launch.pages().count() >= 4)
}

pub(super) fn elf_launch_seeds() -> Vec<Vec<u8>> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    file.resize(0x40 + 56, 0);
    let fields: [(usize, &[u8]); 8] = [
        (0x10, &[3, 0, 62]),
        (0x20, &[0x40]),
        (0x36, &[56]),
        (0x38, &[1]),
        (0x40, &[1]),
        (0x48, &[0x78]),
        (0x59, &[0x10]),
        (0x60, &[16]),
    ];
    for (at, bytes) in fields {
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    file[0x69] = 0x10;
    file.extend_from_slice(&[0x90; 16]);
    vec![file]
}

/// Measures a firmware file.
pub(super) fn ovmf_launch(input: &[u8]) -> bool {
    let machine = ovmf::Machine {
        vmm: ovmf::Vmm::Qemu { cpu_signature: 0x00a0_0f11 },
        processors: 2,
        sev_features: 1,
        kernel: None,
    };
    ovmf::launch(input, &machine).is_ok()
}

/// A file of one page: metadata with one section, and the table of GUIDs that points to it and to the other processors.
/// Measures an IGVM file whose size and checksum are made right, so that what they protect is reached.
pub(super) fn igvm_launch(input: &[u8]) -> bool {
    let mut file = input.to_vec();
    if let Some((fixed, rest)) = file.split_at_mut_checked(24) {
        let headers = rest.len().min(usize::from(fixed[12]) | usize::from(fixed[13]) << 8);
        fixed[..12].copy_from_slice(b"IGVM\x01\0\0\0\x18\0\0\0");
        fixed[12..16].copy_from_slice(&(headers as u32).to_le_bytes());
        fixed[16..20].copy_from_slice(&(input.len() as u32).to_le_bytes());
        let checksum = igvm::checksum(fixed, &rest[..headers]);
        fixed[20..].copy_from_slice(&checksum.to_le_bytes());
    }
    let Ok(parsed) = igvm::File::parse(&file) else { return false };
    let _expected = igvm::expected_digest(&parsed);
    let _es = igvm::sev_launch(&parsed, igvm::Platform::SevEs, igvm::Loader::default());
    let _kvm = igvm::launch(&parsed, igvm::Loader { kvm: true, native_zero: true });
    igvm::launch(&parsed, igvm::Loader::default()).is_ok_and(|launch| launch.pages().count() > 0)
}

pub(super) fn igvm_launch_seeds() -> Vec<Vec<u8>> {
    let numbers = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let headers = [
        numbers(&[0x001, 16, 1, 0x1_0200, 0, 0]),
        numbers(&[0x001, 16, 2, 0x1_0500, 0, 0]),
        numbers(&[0x101, 16, 0x3_0000, 0, 1, 0]),
        numbers(&[0x301, 16, 0x2000, 0, 0, 0]),
        numbers(&[0x302, 24, 0x1000, 0, 3, 0x100, 0, 0]),
        numbers(&[0x302, 24, 0x2000, 0, 3, 0, 2, 0]),
        numbers(&[0x302, 24, 0x3000, 0, 1, 0, 0, 1]),
        numbers(&[0x303, 16, 0x8000, 0, 1, 0]),
        numbers(&[0x304, 20, 0xffff_f000, 0xffff, 3, 0x100, 0, 0]),
    ]
    .concat();
    let fixed = numbers(&[0x4d56_4749, 1, 24, headers.len() as u32, 0, 0]);
    vec![[fixed, headers, vec![0x31; 0x1100]].concat()]
}

pub(super) fn ovmf_launch_seeds() -> Vec<Vec<u8>> {
    let mut file = vec![0; 0x1000];
    file[..4].copy_from_slice(b"ASEV");
    file[8] = 1;
    file[12] = 1;
    file[16..28].copy_from_slice(&[0, 0, 0x80, 0, 0, 0x10, 0, 0, 1, 0, 0, 0]);
    let entry = |guid: [u8; 16], data: [u8; 4]| [data.as_slice(), &[22, 0], &guid].concat();
    let table = [
        entry(*b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc", [0, 0x10, 0, 0]),
        entry(*b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e", [4, 0xb0, 0x80, 0]),
        [[62, 0].as_slice(), b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d"].concat(),
    ]
    .concat();
    let end = file.len() - 0x20;
    file[end - table.len()..end].copy_from_slice(&table);
    vec![file]
}

/// Checks a result's token: only the one that we signed is believed.
pub(super) fn token(input: &[u8]) -> bool {
    let Some(key) = key() else { return false };
    // Claims are read before they are believed only by `evtpm result show`, and must not harm there either.
    let _unverified = Token::parse(input).and_then(|token| Ear::unverified(&token));
    Ear::check(input, key.verifying_key(), None, NOW).is_ok_and(|ear| !ear.submods.is_empty())
}

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    let context = Context { issued: NOW, lifetime: Some(60), policy_id: "sha256:00", nonce: None, build: "seed" };
    let ear = Ear::new(&Appraisal::unreachable(), &context);
    let Some(key) = key() else { return Vec::new() };
    let jwt = ear.sign(&key, &mut Constant).map(String::into_bytes);
    jwt.into_iter().chain(ear.sign_cwt(&key, &mut Constant)).collect()
}

fn key() -> Option<SigningKey> {
    SigningKey::new(Algorithm::Es256, &[9; 32]).ok()
}

struct Constant;

impl Rng for Constant {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0x5a);
        Ok(())
    }
}
