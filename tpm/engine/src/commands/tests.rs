// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests over the whole command table.

use super::*;
use crate::host::Ek;
use crate::testing::{Start, TestPlatform, TestTpm, command_bytes, marshal, started};
use evtpm_tpm_wire::{
    Handle, Tpm2b, Tpm2bAuth, Tpm2bData, TpmiRhHierarchy, TpmlPcrSelection, TpmsSensitiveCreate, TpmtPublic,
};
use std::vec;
use std::vec::Vec;

#[test]
fn the_table_is_in_ascending_order_of_the_codes() {
    let codes = || table::<TestPlatform>().iter().map(|row| row.spec.code);
    assert!(codes().is_sorted());
    assert!(codes().zip(codes().skip(1)).all(|(code, next)| code != next));
}

/// A TPM with something of everything that a handle can reference.
fn furnished() -> TestTpm {
    let mut tpm = started();
    for template in [evtpm_protocol::templates::attestation_key(), evtpm_protocol::templates::storage_root_key()] {
        create_primary(&mut tpm, template);
    }
    tpm.start_session(Start::HMAC);
    tpm.start_session(Start::POLICY);
    tpm.host().define_ek_certificate(CERTIFICATE, Ek::Rsa2048, 32).unwrap();
    tpm.host().set_ek_certificate(CERTIFICATE, &[1; 32]).unwrap();
    tpm
}

const CERTIFICATE: u32 = Ek::Rsa2048.certificate_index();

fn create_primary(tpm: &mut TestTpm, template: TpmtPublic) {
    let command = CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate { user_auth: Tpm2bAuth::EMPTY, ..Default::default() }),
        in_public: Tpm2b(template),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    };
    tpm.send(&command, CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner }).unwrap();
}

/// xorshift64*: the same commands in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.roll(items.len())]
    }
}

const HANDLES: [u32; 14] = [
    0x4000_0001,
    0x4000_0007,
    0x4000_000A,
    0x4000_000B,
    0x4000_000C,
    0x4000_000D,
    0x8000_0000,
    0x8000_0001,
    0x8000_0002,
    0x8100_0000,
    0x0200_0000,
    0x0300_0001,
    CERTIFICATE,
    16,
];

/// Pieces that parameters are made of: numbers, selectors, sized buffers, whole structures.
fn pieces() -> Vec<Vec<u8>> {
    let mut pieces = vec![
        vec![0],
        vec![1],
        vec![0, 0],
        vec![0, 1],
        vec![0, 0x0B],
        vec![0, 0x10],
        vec![0, 4, 1, 2, 3, 4],
        vec![0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        vec![0, 0, 0, 0],
        vec![0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0],
        vec![0x80, 0x24, 0x40, 0, 0, 7, 0, 0],
        vec![0, 6, 0, 128, 0, 0x43],
        vec![0xFF, 0xFF],
        marshal(&Tpm2b(TpmsSensitiveCreate::default())),
        marshal(&Tpm2b(evtpm_protocol::templates::attestation_key())),
        marshal(&Tpm2b(evtpm_protocol::templates::storage_root_key())),
    ];
    pieces.extend(HANDLES.map(|handle| handle.to_be_bytes().to_vec()));
    pieces
}

fn random_command(dice: &mut Dice, pieces: &[Vec<u8>], spec: &Spec) -> Vec<u8> {
    let handles: Vec<u8> = (0..spec.handles()).flat_map(|_| marshal(&Handle(*dice.pick(&HANDLES)))).collect();
    let sessions: Vec<u8> = (0..spec.authorizations()).flat_map(|_| [0x40, 0, 0, 9, 0, 0, 0, 0, 0]).collect();
    let count = dice.roll(6);
    let mut parameters: Vec<u8> = (0..count).flat_map(|_| dice.pick(pieces).clone()).collect();
    if !parameters.is_empty() && dice.roll(4) == 0 {
        let position = dice.roll(parameters.len());
        parameters[position] ^= 1 << dice.roll(8);
    }
    command_bytes(spec.code, &handles, &sessions, &parameters)
}

#[test]
fn a_command_that_fails_leaves_the_tpm_as_it_was() {
    let (mut dice, pieces) = (Dice(0x00C0_FFEE), pieces());
    let furniture = furnished().state;
    let mut tpm = started();
    for row in table::<TestPlatform>() {
        let mut refused = 0;
        for _ in 0..60 {
            tpm.state = furniture.clone();
            // `raw` compares the state whenever the response is an error.
            let response = tpm.raw(random_command(&mut dice, &pieces, &row.spec));
            refused += usize::from(response[6..10] != [0; 4]);
            if tpm.phase() != crate::Phase::Operational {
                tpm = started();
            }
        }
        let always_succeeds = row.spec.handles() == 0 && row.spec.code == evtpm_tpm_wire::Cc::READ_CLOCK;
        assert!(refused > 0 || always_succeeds, "{:?} was never refused", row.spec.code);
    }
}
