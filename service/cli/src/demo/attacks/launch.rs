// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks on what is launched, and on the chain that vouches for it.

use anyhow::{Context, Result};
use evtpm_snp::{GuestPolicy, Tcb};
use evtpm_sp_sim::{Authority, Host, Platform, RevocationList, Role};

use super::{Attack, Stage};
use crate::demo::verifier::{Answer, Beliefs};
use crate::launch::{self, Image, POLICY};
use crate::vm::Vm;

pub(super) const MODIFIED_SVSM: Attack = Attack {
    name: "modified SVSM",
    row: 7,
    about: "one bit of the code at VMPL 0 is another",
    caught_by: "snp.measurement",
    run: |stage| {
        let mut executable = stage.world.executable.clone();
        if stage.play.is_tampered() {
            // The first loaded segment begins with the file's first byte; behind the headers come its contents.
            *executable.get_mut(0x1000).context("an executable of less than a page")? ^= 1;
        }
        boot_and_attest(stage, stage.world.host()?, &Image::new(&executable))
    },
};

pub(super) const NO_SVSM: Attack = Attack {
    name: "no SVSM at all",
    row: 4,
    about: "the guest's own system runs at VMPL 0 and puts its own key into the report",
    caught_by: "snp.measurement",
    run: |stage| {
        let shell = std::fs::read("/bin/sh").context("reading /bin/sh, which plays the guest's system")?;
        let executable = if stage.play.is_tampered() { &shell } else { &stage.world.executable };
        boot_and_attest(stage, stage.world.host()?, &Image::new(executable))
    },
};

pub(super) const DEBUG_POLICY: Attack = Attack {
    name: "debug policy",
    row: 8,
    about: "the host launches the right image, but may read and write its memory",
    caught_by: "snp.guest-policy",
    run: |stage| {
        let policy = if stage.play.is_tampered() { GuestPolicy(POLICY.0 | GuestPolicy::DEBUG) } else { POLICY };
        boot_and_attest(stage, stage.world.host()?, &Image { policy, ..Image::new(&stage.world.executable) })
    },
};

pub(super) const ROLLED_BACK_TCB: Attack = Attack {
    name: "rolled back firmware",
    row: 8,
    about: "the host runs an older firmware of the processor, with a genuine certificate for it",
    caught_by: "snp.tcb",
    run: |stage| {
        let platform = stage.world.platform();
        let old = Tcb { snp: platform.current_tcb.snp.saturating_sub(1), ..platform.current_tcb };
        let platform = if stage.play.is_tampered() { platform.with_tcb(old) } else { platform };
        with_collateral_of(stage, platform)
    },
};

pub(super) const OTHER_CHIP: Attack = Attack {
    name: "other chip",
    row: 9,
    about: "the report is signed by a chip that the certificate is not for",
    caught_by: "chip id",
    run: |stage| {
        let platform = stage.world.platform();
        let chip_seed = if stage.play.is_tampered() { [0x5a; 32] } else { platform.chip_seed };
        let host = launch::host(Platform { chip_seed, ..platform })?;
        boot_and_attest(stage, host, &Image::new(&stage.world.executable))
    },
};

pub(super) const REVOKED_CHAIN: Attack = Attack {
    name: "revoked chain",
    row: 9,
    about: "the intermediate certificate was revoked",
    caught_by: "revoked",
    run: |stage| {
        let authority = Authority::new(stage.world.product);
        let this_update = stage.world.platform().issued;
        let revoked =
            if stage.play.is_tampered() { Some((authority.serial_number(Role::Ask), this_update)) } else { None };
        let list = RevocationList {
            number: 1,
            this_update,
            next_update: this_update.plus_years(1),
            revoked: revoked.into_iter().collect(),
        };
        let list = list.sign(&authority)?;
        let mut beliefs = stage.world.beliefs.clone();
        beliefs.collateral.push(("list.crl".into(), list));
        believing(stage, beliefs, stage.world.host()?)
    },
};

pub(super) const UNNAMED_ROOT: Attack = Attack {
    name: "a root nobody named",
    row: 9,
    about: "the chain is whole, but ends in a root that the operator does not trust",
    caught_by: "is not trusted",
    run: |stage| {
        let mut beliefs = stage.world.beliefs.clone();
        if stage.play.is_tampered() {
            beliefs.simulated_roots.clear();
        }
        believing(stage, beliefs, stage.world.host()?)
    },
};

/// Launches an image on a host, boots it, and attests it to the usual verifier.
fn boot_and_attest(stage: Stage<'_>, host: Host, image: &Image<'_>) -> Result<Answer> {
    let (vm, _) = stage.world.play(Vm::launch(host, image)?, &stage.world.boot)?;
    stage.world.attest(stage.verifier, stage.machine, vm, &stage.world.boot)
}

/// As [`boot_and_attest`] on another platform, whose genuine certificates the verifier has.
fn with_collateral_of(stage: Stage<'_>, platform: Platform) -> Result<Answer> {
    let mut beliefs = stage.world.beliefs.clone();
    beliefs.collateral = stage.world.collateral(launch::host(platform.clone())?)?;
    believing(stage, beliefs, launch::host(platform)?)
}

/// As [`boot_and_attest`] of a good image, to a verifier with other beliefs.
fn believing(stage: Stage<'_>, beliefs: Beliefs, host: Host) -> Result<Answer> {
    let verifier = stage.world.verifier(beliefs)?;
    boot_and_attest(Stage { verifier: &verifier, ..stage }, host, &Image::new(&stage.world.executable))
}
