// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A good attester, layer by layer, for tests to spoil.

use evtpm_logs::{Digest, HashId, PcrIndex, PcrSet};
use evtpm_roots::AmdProduct;
use evtpm_snp::{Generation, Report};
use evtpm_verify::{
    Root, UnixTime,
    evtpm::{BindingFreshness, BindingProfile},
    logs::{CommandLine, SignatureState},
    snp::{Signer, SnpClaims},
    tpm::{Clock, Freshness},
    x509::Revocation,
};

use crate::{
    claims::{
        BankValues, BootClaims, BootEvent, Claims, FileMeasurement, KeyClaims, QuoteClaims, ReportClaims, RuntimeClaims,
    },
    policy::{FileDigest, Policy, SnpPolicy},
};

pub(crate) const CHIP: [u8; 64] = [0xc4; 64];
pub(crate) const SIMULATED: &str = "SIMULATED ARK-Milan";

/// Claims of a report whose bytes a test may change; nothing here checks a signature.
pub(crate) fn snp_claims(change: impl FnOnce(&mut [u8])) -> SnpClaims {
    let mut report = vec![0; Report::SIZE];
    report[0] = 3;
    report[0x004] = 7; // GUEST_SVN
    report[0x008..0x010].copy_from_slice(&0x30000_u64.to_le_bytes());
    report[0x034] = 1;
    for offset in [0x038, 0x180, 0x1e0, 0x1f0] {
        report[offset..offset + 8].copy_from_slice(&[4, 0, 0, 0, 0, 0, 24, 219]);
    }
    report[0x090..0x0c0].fill(0x3e);
    report[0x0c0..0x0e0].fill(0x40);
    report[0x0e0..0x110].fill(0x1d);
    report[0x188..0x18b].copy_from_slice(&[0x19, 0x01, 0x01]);
    report[0x1a0..0x1e0].copy_from_slice(&CHIP);
    change(&mut report);
    SnpClaims {
        report: Report::parse(&report).unwrap(),
        generation: Generation::Milan,
        signer: Signer::Chip { id: CHIP },
        product_name: "Milan-B0".into(),
        valid_until: UnixTime(1_900_000_000),
        revocation: Revocation::Checked { next_update: Some(UnixTime(1_800_000_000)) },
    }
}

pub(crate) fn report(change: impl FnOnce(&mut [u8])) -> ReportClaims {
    ReportClaims { claims: snp_claims(change), root: Root::Amd(AmdProduct::Milan) }
}

pub(crate) fn pcr(number: u32) -> PcrIndex {
    PcrIndex::new(number).unwrap()
}

pub(crate) fn sha256(fill: u8) -> FileDigest {
    FileDigest::new(HashId::SHA256, &[fill; 32]).unwrap()
}

pub(crate) fn event(number: u32, fill: u8) -> BootEvent {
    BootEvent {
        pcr: pcr(number),
        digests: vec![sha256(fill)],
        is_marker: false,
        is_load_options: false,
        label: "EV_EFI_BOOT_SERVICES_APPLICATION".into(),
    }
}

pub(crate) fn file(path: &str, fill: u8) -> FileMeasurement {
    FileMeasurement { path: path.into(), digest: Some(sha256(fill)), signature: SignatureState::None }
}

/// An attester of whom everything is known and good.
pub(crate) fn claims() -> Claims {
    let values = (0..=10).map(|number| (pcr(number), vec![number as u8; 32])).collect();
    let load_options = BootEvent { is_load_options: true, ..event(9, 0x91) };
    Claims {
        snp: Some(report(|_| {})),
        key: Some(KeyClaims {
            certified_by: None,
            binding: Some((BindingProfile::NvReport.name(), BindingFreshness::Boot)),
            name: vec![0, 11, 1, 2, 3],
        }),
        quote: Some(QuoteClaims {
            banks: vec![BankValues { bank: HashId::SHA256, values }],
            clock: Clock { milliseconds: 1000, reset_count: 1, restart_count: 0, safe: true },
            freshness: Freshness::Challenged,
        }),
        boot: Some(BootClaims {
            explained: PcrSet::from_mask(0x7ff).unwrap(),
            secure_boot: Some(true),
            command_lines: vec![CommandLine::Digest {
                pcr: pcr(9),
                digests: vec![(HashId::SHA256, Digest::new(&[0x91; 32]).unwrap())],
            }],
            events: vec![event(4, 0x41), load_options, event(9, 0x92)],
        }),
        runtime: Some(RuntimeClaims {
            files: vec![file("/usr/bin/true", 0xa1), file("/usr/bin/sh", 0xa2)],
            violations: 0,
            uncovered: 0,
            aggregate_verified: true,
            weak_banks: Vec::new(),
        }),
        ..Claims::new()
    }
}

/// The policy that was learnt from that attester.
pub(crate) fn policy() -> Policy {
    Policy::learn(&claims()).unwrap()
}

/// The rules about the launch in it.
pub(crate) fn snp(policy: &mut Policy) -> &mut SnpPolicy {
    policy.snp.as_mut().unwrap()
}
