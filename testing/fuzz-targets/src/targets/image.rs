// SPDX-License-Identifier: Apache-2.0 OR MIT
//! State images: whatever the bytes are, an error with a name or a TPM that answers.
#![expect(clippy::panic, reason = "a fuzzer learns of a broken promise by a panic")]

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_engine::{Execution, Locality, Profile, Tpm};
use evtpm_image::{Part, Protection, State, restore};
use evtpm_testing_support::TestPlatform;

use super::tpm::machine;

/// Bytes before the state and after it, in an image that is not sealed.
const HEADER: usize = 48;
const DIGEST: usize = 32;

const STARTUP: &[u8] = &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];
const HASH_SEQUENCE_START: &[u8] = &[0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x86, 0, 0, 0, 0x0B];
const READ_CLOCK: &[u8] = &[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81];
const ALL_PROPERTIES: &[u8] = &[0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7A, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 1, 0];

/// Reads the input as an image; and as the two parts of a state, behind digests that are right.
pub(super) fn image(input: &[u8]) -> bool {
    let direct = State::from_image(input, None).is_ok();
    let Some((size, rest)) = input.split_first_chunk::<2>() else { return direct };
    let (permanent, volatile) = rest.split_at(usize::from(u16::from_be_bytes(*size)).min(rest.len()));
    let permanent = wrap(Part::Permanent, permanent);
    let volatile = (!volatile.is_empty()).then(|| wrap(Part::Volatile, volatile));
    let Ok(mut tpm) = restore(machine(2), Profile::pc_client(), &permanent, volatile.as_ref()) else {
        return direct;
    };
    for command in [STARTUP, HASH_SEQUENCE_START, READ_CLOCK, ALL_PROPERTIES] {
        answer(&mut tpm, command);
    }
    // What was restored can be saved, and restored again.
    let again = State::permanent(&mut tpm).and_then(|state| restore(machine(3), Profile::pc_client(), &state, None));
    assert!(again.is_ok(), "a TPM that was restored is one that can be saved: {again:?}");
    true
}

fn answer(tpm: &mut Tpm<TestPlatform>, command: &[u8]) {
    let mut response = [0; 4096];
    let execution = tpm.execute(Locality::ZERO, &mut command.to_vec(), &mut response);
    // An image may hold the index of a certificate that the host has yet to give.
    let (Execution::Response(10..) | Execution::Pending(_)) = execution else { panic!("{execution:?}") };
}

/// Puts a state into an image and reads it back, so that mutations reach the state and not only its digest.
fn wrap(part: Part, state: &[u8]) -> State {
    let number = if part == Part::Permanent { 1 } else { 2 };
    let length = u32::try_from(state.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut image = [&b"EVTPMIMG\0\x01"[..], &[number, 0], &[0; 32], &length, state].concat();
    let digest = RustCrypto::hash(HashAlg::Sha256, &[&image]);
    image.extend(digest.as_bytes());
    match State::from_image(&image, None) {
        Ok(state) => state,
        Err(error) => panic!("an image with the right digest: {error}"),
    }
}

pub(super) fn image_seeds() -> Vec<Vec<u8>> {
    let Ok(mut tpm) = Tpm::manufacture(machine(1), Profile::pc_client()) else { return Vec::new() };
    let mut states = [State::permanent(&mut tpm), State::volatile(&mut tpm)].to_vec();
    for command in [STARTUP, HASH_SEQUENCE_START] {
        answer(&mut tpm, command);
    }
    states.extend([State::permanent(&mut tpm), State::volatile(&mut tpm)]);
    let images: Vec<_> = states.into_iter().flatten().flat_map(|state| state.to_image(&Protection::None)).collect();
    let content = |image: &Vec<u8>| image[HEADER..image.len() - DIGEST].to_vec();
    let mut seeds = images.clone();
    for pair in images.chunks(2) {
        let [permanent, volatile] = pair else { continue };
        let permanent = content(permanent);
        let size = u16::try_from(permanent.len()).unwrap_or(u16::MAX).to_be_bytes();
        seeds.push([&size[..], &permanent].concat());
        seeds.push([&size[..], &permanent, &content(volatile)].concat());
    }
    seeds
}
