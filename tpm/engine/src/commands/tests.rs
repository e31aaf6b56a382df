// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests over the whole command table.

use super::*;
use crate::host::Ek;
use crate::state::State;
use crate::testing::{Start, TestPlatform, TestTpm, command_bytes, marshal, started};
use evtpm_crypto::RustHasher;
use evtpm_tpm_wire::{
    Handle, Subject, Tpm2b, Tpm2bAuth, Tpm2bData, TpmiRhHierarchy, TpmlPcrSelection, TpmsSensitiveCreate, TpmtPublic,
};
use std::vec;
use std::vec::Vec;

#[test]
fn the_table_is_in_ascending_order_of_the_codes() {
    let codes = || table::<TestPlatform>().iter().map(|row| row.spec.code);
    assert!(codes().is_sorted());
    assert!(codes().zip(codes().skip(1)).all(|(code, next)| code != next));
}

#[test]
fn each_code_finds_its_own_row_and_no_other_code_finds_one() {
    let codes: Vec<Cc> = table::<TestPlatform>().iter().map(|row| row.spec.code).collect();
    for code in (0..0x400).chain(u32::MAX - 1..=u32::MAX).map(Cc) {
        let found = row::<TestPlatform>(code).map(|row| row.spec.code);
        assert_eq!(found, codes.contains(&code).then_some(code));
    }
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

/// A command that is being brought nearer to success.
#[derive(Clone, Default)]
struct Attempt {
    handles: Vec<Handle>,
    parameters: Vec<Vec<u8>>,
}

impl Attempt {
    /// Changes one thing.
    fn mutated(&self, dice: &mut Dice, pieces: &[Vec<u8>], row: &Row<TestPlatform>) -> Self {
        let mut next = self.clone();
        if dice.roll(4) == 0 || next.handles.len() != row.spec.handles() {
            next.handles = random_handles(dice, row);
            return next;
        }
        let position = dice.roll(next.parameters.len() + 1);
        match (dice.roll(6), next.parameters.get_mut(position)) {
            (0, Some(piece)) => piece[0] ^= 1 << dice.roll(8),
            (1, Some(_)) => drop(next.parameters.remove(position)),
            (2, Some(piece)) => piece.clone_from(dice.pick(pieces)),
            _ => next.parameters.push(dice.pick(pieces).clone()),
        }
        next
    }

    fn bytes(&self, spec: &Spec) -> Vec<u8> {
        let handles: Vec<u8> = self.handles.iter().flat_map(marshal).collect();
        let sessions: Vec<u8> = (0..spec.authorizations()).flat_map(|_| [0x40, 0, 0, 9, 0, 0, 0, 0, 0]).collect();
        command_bytes(spec.code, &handles, &sessions, &self.parameters.concat())
    }
}

/// Draws handles that the command's types allow, if it can.
fn random_handles(dice: &mut Dice, row: &Row<TestPlatform>) -> Vec<Handle> {
    let supported = crate::Profile::pc_client().supported;
    let mut handles = Vec::new();
    for _ in 0..40 {
        handles = (0..row.spec.handles()).map(|_| Handle(*dice.pick(&HANDLES))).collect();
        let bytes: Vec<u8> = handles.iter().flat_map(marshal).collect();
        if (row.handles)(&mut Reader::new(&bytes, &supported)).is_ok() {
            break;
        }
    }
    handles
}

/// Tells how far a command came: parameters are read in order, then it acts; shorter is better.
fn progress(rc: Rc, size: usize) -> usize {
    let came = match rc.subject() {
        _ if rc.is_success() => 100,
        Some(Subject::Parameter(number)) => 10 + usize::from(number),
        Some(_) => 5,
        None if rc == Rc::SIZE => 50,
        None => 6,
    };
    came * 10_000 - size
}

/// So often each command is tried. An interpreter that takes a second for each sees how the first of them are refused.
const ATTEMPTS: usize = if cfg!(miri) { 12 } else { 150 };

/// Tries one command: how often it was refused, and how often it succeeded.
fn attempts(row: &Row<TestPlatform>, furniture: &State<RustHasher>, pieces: &[Vec<u8>]) -> [usize; 2] {
    let mut dice = Dice(0x00C0_FFEE | u64::from(row.spec.code.0) << 32);
    let mut tpm = started();
    let (mut best, mut reached) = (Attempt::default(), 0);
    let [mut refused, mut succeeded] = [0; 2];
    for _ in 0..ATTEMPTS {
        tpm.state = furniture.clone();
        let next = best.mutated(&mut dice, pieces, row);
        // `raw` compares the state whenever the response is an error.
        let bytes = next.bytes(&row.spec);
        let size = bytes.len();
        let response = tpm.raw(bytes);
        let rc = Rc::from_raw(u32::from_be_bytes(response[6..10].try_into().unwrap()));
        let came = progress(rc, size);
        (best, reached) = match (rc, dice.roll(30)) {
            (Rc::SUCCESS, _) | (_, 0) => (Attempt::default(), 0),
            _ if came >= reached => (next, came),
            _ => (best, reached),
        };
        *if rc.is_success() { &mut succeeded } else { &mut refused } += 1;
        if tpm.phase() != crate::Phase::Operational {
            tpm = started();
        }
    }
    [refused, succeeded]
}

#[test]
fn a_command_that_fails_leaves_the_tpm_as_it_was() {
    let (pieces, furniture) = (pieces(), furnished().state);
    let table = table::<TestPlatform>();
    let (mut refused, mut succeeded) = (0, Vec::new());
    for row in table {
        let [refusals, successes] = attempts(row, &furniture, &pieces);
        refused += refusals;
        succeeded.extend((successes > 0).then_some(row.spec.code));
    }
    assert!(refused > 1_000, "{refused} commands were refused");
    // Otherwise the commands were all refused at the door, and nothing was proven about what lies behind it.
    assert!(cfg!(miri) || succeeded.len() > table.len() / 3, "only these succeeded: {succeeded:?}");
}
