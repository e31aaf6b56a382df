// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A machine whose random source is bad has no endorsement key and asks the chip to vouch for none.

use evtpm_crypto::EntropyError;
use evtpm_engine::{Ek, Failure, HostError, Phase};
use evtpm_sp_sim::Product;
use evtpm_svsm_abi::{Registers, ResultCode};
use evtpm_testing_support::{GuestRam, Noise, TestPlatform, boot_on, chip, client};

use super::*;
use crate::attestation::{Ask, OPERATION};

#[test]
fn bad_noise_gives_a_tpm_in_failure_mode_without_a_key() {
    for (noise, error) in [
        (Noise::Stuck(0), EntropyError::StuckAtZeros),
        (Noise::Stuck(u64::MAX), EntropyError::StuckAtOnes),
        (Noise::Stuck(42), EntropyError::RepetitionCount { count: 5 }),
        (Noise::Circle(vec![1, 2, 3], 0), EntropyError::Repeating { period: 3 }),
        (Noise::Exhausted { state: 1, left: 0 }, EntropyError::Exhausted { attempts: 32 }),
        (Noise::Exhausted { state: 1, left: 1030 }, EntropyError::Exhausted { attempts: 32 }),
    ] {
        let mut machine = boot_on(chip(Product::Milan), TestPlatform::new(noise.clone()));
        let Phase::Failed(Failure::Entropy(found)) = machine.tpm().phase() else {
            panic!("{noise:?}: {:?}", machine.tpm().phase());
        };
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&error), "{noise:?}");
        assert_eq!(machine.tpm().host().ek_public(Ek::EccP256), Err(HostError::Failed));
        assert_eq!(machine.tpm().host().stale_ek_certificates().count(), 0, "no index is defined");
        assert!(machine.processor().sent().is_empty(), "the chip was not asked");
        assert_eq!(refusal(client(&mut machine).startup(TpmSu::Clear)), Rc::FAILURE);
    }
}

#[test]
fn a_failed_tpm_is_attested_by_nobody() {
    let mut machine = boot_on(chip(Product::Milan), TestPlatform::new(Noise::Stuck(0)));
    for ask in [Ask::services(), Ask::vtpm(0), Ask::vtpm(1)] {
        let mut memory = GuestRam::new();
        ask.store(&mut memory);
        let before = memory.clone();
        let mut registers = Registers { rax: ask.rax(), rcx: OPERATION, ..Registers::default() };
        machine.call(&mut registers, &mut memory);
        assert_eq!(ResultCode(registers.rax), ResultCode::INVALID_REQUEST);
        assert_eq!(memory.snapshot(), before.snapshot());
    }
    assert!(machine.processor().sent().is_empty());
}
