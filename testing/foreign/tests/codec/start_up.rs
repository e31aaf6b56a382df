// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Start-up", "Testing", "Random Number Generator", "Capability Commands", "Clocks and Timers".

use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::{Case, Stage};

pub(crate) const CASES: &[Case] = &[
    // The stage has done it.
    Case { code: Cc::STARTUP, play: |_| {} },
    Case {
        code: Cc::SHUTDOWN,
        play: |stage| {
            let shutdown_type = stage.dice.pick(&[TpmSu::Clear, TpmSu::State]);
            stage.run((), &Shutdown { shutdown_type });
        },
    },
    Case {
        code: Cc::SELF_TEST,
        play: |stage| {
            let full_test = stage.dice.pick(&[YesNo::No, YesNo::Yes]);
            stage.run((), &SelfTest { full_test });
        },
    },
    Case {
        code: Cc::INCREMENTAL_SELF_TEST,
        play: |stage| {
            let all = [TpmAlgId::SHA256, TpmAlgId::AES, TpmAlgId::RSA, TpmAlgId::ECDSA, TpmAlgId::SHA1];
            let count = stage.dice.below(all.len());
            stage.run((), &IncrementalSelfTest { to_test: TpmlAlg::from_slice(&all[..count]).unwrap() });
        },
    },
    Case { code: Cc::GET_TEST_RESULT, play: |stage| _ = stage.run((), &GetTestResult {}) },
    Case {
        code: Cc::GET_RANDOM,
        play: |stage| {
            let bytes_requested = stage.dice.below(100) as u16;
            stage.run((), &GetRandom { bytes_requested });
        },
    },
    Case {
        code: Cc::STIR_RANDOM,
        play: |stage| {
            let in_data = Tpm2bSensitiveData::new(&stage.dice.bytes(stage.dice.clone().below(129))).unwrap();
            stage.run((), &StirRandom { in_data });
        },
    },
    Case { code: Cc::GET_CAPABILITY, play: capabilities },
    Case { code: Cc::TEST_PARMS, play: parameters },
    Case { code: Cc::READ_CLOCK, play: |stage| _ = stage.run((), &ReadClock {}) },
    Case {
        code: Cc::CLOCK_SET,
        play: |stage| {
            let now = stage.run((), &ReadClock {}).current_time.clock_info.clock;
            let new_time = now + 60_000 + stage.dice.below(1 << 30) as u64;
            let auth = stage.dice.pick(&[TpmiRhProvision::Owner, TpmiRhProvision::Platform]);
            stage.run(ClockSetHandles { auth }, &ClockSet { new_time });
        },
    },
    Case {
        code: Cc::CLOCK_RATE_ADJUST,
        play: |stage| {
            let rates = [TpmClockAdjust::CoarseSlower, TpmClockAdjust::NoChange, TpmClockAdjust::MediumFaster];
            let (auth, rate_adjust) = (TpmiRhProvision::Owner, stage.dice.pick(&rates));
            stage.run(ClockRateAdjustHandles { auth }, &ClockRateAdjust { rate_adjust });
        },
    },
    Case {
        code: Cc::ACT_SET_TIMEOUT,
        play: |stage| {
            let act_handle = TpmiRhAct::new(Handle::ACT_0, &Supported::ALL).unwrap();
            let start_timeout = stage.dice.below(1000) as u32;
            stage.run(ActSetTimeoutHandles { act_handle }, &ActSetTimeout { start_timeout });
        },
    },
];

/// Everything that can be asked for, in pieces.
fn capabilities(stage: &mut Stage) {
    stage.signer();
    stage.tpm.start_session(evtpm_client::SessionOptions::HMAC).unwrap();
    let starts: [(TpmCap, &[u32]); 11] = [
        (TpmCap::Algs, &[0, 0xB, 0x40]),
        (TpmCap::Handles, &[0, 0x0100_0000, 0x0200_0000, 0x0300_0000, 0x4000_0000, 0x8000_0000, 0x8100_0000]),
        (TpmCap::Commands, &[0x11F, 0x150, 0x200]),
        (TpmCap::PpCommands, &[0x11F]),
        (TpmCap::AuditCommands, &[0x11F]),
        (TpmCap::Pcrs, &[0]),
        (TpmCap::TpmProperties, &[0x100, 0x110, 0x200, 0x210, 0x300]),
        (TpmCap::PcrProperties, &[0, 5, 0x14]),
        (TpmCap::EccCurves, &[0, 4, 0x20]),
        (TpmCap::AuthPolicies, &[0, 0x4000_0001]),
        (TpmCap::Act, &[0, 0x4000_0110]),
    ];
    for (capability, properties) in starts {
        for property in properties {
            let property_count = 1 + stage.dice.below(64) as u32;
            let command = GetCapability { capability, property: *property, property_count };
            // A TPM need not have every capability, nor something at every number; that the answer can be read is all.
            drop(stage.attempt((), &command, &[]));
        }
    }
    stage.run((), &GetCapability { capability: TpmCap::Commands, property: 0, property_count: 64 });
}

fn parameters(stage: &mut Stage) {
    let aes = |key_bits, mode| TpmtSymDefObject { algorithm: SymObjectAlg::Aes, key_bits, mode };
    let ecc = |curve_id, scheme| TpmsEccParms { symmetric: None, scheme, curve_id, kdf: None };
    let rsa =
        |key_bits, scheme| TpmsRsaParms { symmetric: None, scheme, key_bits: TpmiRsaKeyBits(key_bits), exponent: 0 };
    let parameters = stage.dice.pick(&[
        TpmtPublicParms::SymCipher(aes(128, Some(SymMode::Cfb))),
        TpmtPublicParms::SymCipher(aes(256, None)),
        TpmtPublicParms::Ecc(ecc(EccCurve::NistP256, None)),
        TpmtPublicParms::Ecc(ecc(EccCurve::NistP384, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha384)))),
        TpmtPublicParms::KeyedHash(None),
        TpmtPublicParms::KeyedHash(Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha512))),
        TpmtPublicParms::Rsa(rsa(2048, Some(TpmtRsaScheme::Rsapss(HashAlg::Sha256)))),
        TpmtPublicParms::Rsa(rsa(3072, Some(TpmtRsaScheme::Oaep(HashAlg::Sha1)))),
    ]);
    stage.run((), &TestParms { parameters });
}
