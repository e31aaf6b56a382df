// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whole TPMs: sequences of commands, each answered by a response that is one.
#![expect(clippy::panic, reason = "a fuzzer learns of a broken promise by a panic")]

use evtpm_engine::{Execution, Locality, Profile, Tpm};
use evtpm_testing_support::{Noise, TestPlatform};

use super::wire;

const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];
/// A sequence is as long as its input says, but not longer than a test run can wait for.
const COMMANDS: usize = 32;

/// A machine whose noise is the same each time, so that a finding can be repeated.
pub(super) const fn machine(noise: u64) -> TestPlatform {
    TestPlatform::new(Noise::Good(noise))
}

/// The first byte of an input for a TPM of the pqc profile, which is the number of no locality.
const PQC: u8 = 31;

/// Runs a sequence of commands on a new TPM; the input is locality, size and bytes of each.
pub(super) fn execute(input: &[u8]) -> bool {
    let (profile, input) = match input {
        [PQC, input @ ..] => (Profile::pqc(), input),
        input => (Profile::pc_client(), input),
    };
    let Ok(mut tpm) = Tpm::manufacture(machine(1), profile) else { return false };
    tpm.power_on();
    let mut response = [0; 8192];
    let mut succeeded = 0;
    assert!(run(&mut tpm, Locality::ZERO, &STARTUP, &mut response));
    let mut rest = input;
    for _ in 0..COMMANDS {
        let Some(([locality, high, low], after)) = rest.split_first_chunk::<3>() else { break };
        let size = usize::from(u16::from_be_bytes([*high, *low]) % 4097).min(after.len());
        let (command, after) = after.split_at(size);
        rest = after;
        if run(&mut tpm, Locality::new(*locality).unwrap_or(Locality::ZERO), command, &mut response) {
            succeeded += 1;
        }
    }
    succeeded > 0
}

/// Runs one command, checks that the answer is a response, and says whether it is success.
fn run(tpm: &mut Tpm<TestPlatform>, locality: Locality, command: &[u8], response: &mut [u8]) -> bool {
    let mut command = command.to_vec();
    let execution = tpm.execute(locality, &mut command, response);
    let Execution::Response(size) = execution else { panic!("no certificate was defined that could be pending") };
    let [tag_high, tag_low, s0, s1, s2, s3, c0, c1, c2, c3, ..] = response.get(..size).unwrap_or_default() else {
        panic!("a response of {size} bytes to {command:02x?}");
    };
    assert_eq!(
        usize::try_from(u32::from_be_bytes([*s0, *s1, *s2, *s3])),
        Ok(size),
        "size of the response to {command:02x?}"
    );
    let tag = u16::from_be_bytes([*tag_high, *tag_low]);
    let code = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
    assert!(
        matches!((tag, code), (0x8001, _) | (0x8002, 0) | (0x00c4, _)),
        "tag {tag:04x} code {code:x} to {command:02x?}"
    );
    assert!(code == 0 || size == 10, "code {code:x} with {size} bytes to {command:02x?}");
    code == 0
}

pub(super) fn execute_seeds() -> Vec<Vec<u8>> {
    let framed = |commands: &[&[u8]]| {
        let mut sequence = Vec::new();
        for command in commands {
            sequence.push(0);
            sequence.extend(u16::try_from(command.len()).unwrap_or(0).to_be_bytes());
            sequence.extend(*command);
        }
        sequence
    };
    let get_random: &[u8] = &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8];
    let read_clock: &[u8] = &[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81];
    let password: [u8; 13] = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    let mut extend = vec![0x80, 2, 0, 0, 0, 65, 0, 0, 1, 0x82, 0, 0, 0, 10];
    extend.extend(password);
    extend.extend([0, 0, 0, 1, 0, 11]);
    extend.extend([7; 32]);
    // TPM2_StartAuthSession: neither salted nor bound, a policy session with SHA-256.
    let mut session = vec![0x80, 1, 0, 0, 0, 43, 0, 0, 1, 0x76, 0x40, 0, 0, 7, 0x40, 0, 0, 7, 0, 16];
    session.extend([5; 16]);
    session.extend([0, 0, 1, 0, 16, 0, 11]);
    let mut seeds = vec![
        framed(&[get_random, read_clock]),
        framed(&[&extend, &extend, get_random]),
        framed(&[&session, read_clock]),
    ];
    seeds.extend(wire::command_seeds().iter().map(|command| framed(&[command])));
    let kinds: [&[u8]; 3] = [&[0xA1, 0, 1, 0], &[0xA2, 0, 1, 0, 11], &[0xA0, 0, 0x10, 0, 1]];
    for (kind, attributes) in kinds.into_iter().zip([4, 4, 2]) {
        seeds.push([&[PQC][..], &framed(&[&create_primary(kind, attributes), get_random])].concat());
    }
    seeds
}

/// TPM2_CreatePrimary under the owner; the type of the key and its parameters with the upper byte of the attributes.
fn create_primary(kind: &[u8], attributes: u8) -> Vec<u8> {
    let Some((kind, parameters)) = kind.split_first() else { return Vec::new() };
    // type, nameAlg SHA-256, fixedTPM to userWithAuth, no policy, the parameters, no public key
    let template = [&[0, *kind, 0, 11, 0, attributes, 0, 0x72, 0, 0][..], parameters, &[0, 0]].concat();
    let mut command = vec![0x80, 2, 0, 0, 0, 0, 0, 0, 1, 0x31, 0x40, 0, 0, 1];
    command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    command.extend(u16::try_from(template.len()).unwrap_or(0).to_be_bytes());
    command.extend(template);
    command.extend([0, 0, 0, 0, 0, 0]);
    let size = u16::try_from(command.len()).unwrap_or(0).to_be_bytes();
    command.iter_mut().skip(4).zip(size).for_each(|(to, from)| *to = from);
    command
}
