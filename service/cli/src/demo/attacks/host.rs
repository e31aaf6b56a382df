// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks of the host on what the SVSM needs from it: messages and randomness.

use evtpm_crypto::RustCrypto;
use evtpm_crypto::entropy::NoiseSource;
use evtpm_engine::Platform;
use evtpm_sp_sim::Misbehaviour;

use super::Attack;
use crate::launch::Image;
use crate::vm::Vm;

pub(super) const CORRUPTED_MESSAGES: Attack = Attack {
    name: "corrupted messages",
    row: 12,
    about: "the host changes a byte of every answer of the secure processor",
    caught_by: "is this an e-vTPM?",
    run: |stage| {
        let mut host = stage.world.host()?;
        if stage.play.is_tampered() {
            host.misbehave_always(Some(Misbehaviour::CorruptResponse { offset: 0x80, mask: 1 }));
        }
        let vm = Vm::launch(host, &Image::new(&stage.world.executable))?;
        let (vm, _) = stage.world.play(vm, &stage.world.boot)?;
        stage.world.attest(stage.verifier, stage.machine, vm, &stage.world.boot)
    },
};

pub(super) const STUCK_NOISE: Attack = Attack {
    name: "stuck randomness",
    row: 11,
    about: "the generator gives all ones and reports success",
    caught_by: "TPM2_Startup",
    run: |stage| {
        let platform = Surroundings { noise: MaybeStuck { stuck: stage.play.is_tampered() } };
        let vm = Vm::launch_on(platform, stage.world.host()?, &Image::new(&stage.world.executable))?;
        match stage.world.play(vm, &stage.world.boot) {
            Ok((vm, _)) => stage.world.attest(stage.verifier, stage.machine, vm, &stage.world.boot),
            // A TPM in failure mode has no endorsement key and answers nothing: there is no machine to attest.
            Err(error) => Ok(crate::demo::verifier::Answer::NoEvidence(format!("{error:#}"))),
        }
    },
};

/// A TPM's surroundings whose noise may be stuck.
#[derive(Debug)]
struct Surroundings {
    noise: MaybeStuck,
}

#[derive(Debug)]
struct MaybeStuck {
    stuck: bool,
}

impl NoiseSource for MaybeStuck {
    fn sample(&mut self) -> Option<u64> {
        if self.stuck { Some(u64::MAX) } else { getrandom::u64().ok() }
    }
}

impl Platform for Surroundings {
    type Crypto = RustCrypto;
    type Noise = MaybeStuck;

    fn noise(&mut self) -> &mut MaybeStuck {
        &mut self.noise
    }

    fn now_ms(&mut self) -> u64 {
        0
    }

    fn physical_presence(&self) -> bool {
        false
    }
}
