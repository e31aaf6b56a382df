// SPDX-License-Identifier: Apache-2.0 OR MIT
//! States that somebody changed on purpose, behind a digest that is right: an error, or a TPM that still answers.

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_engine::Profile;
use evtpm_image::{Protection, State, restore};
use evtpm_tpm_wire::Cc;

use crate::machine::{command, machine, send, started};
use crate::moves::{ALL, Contexts, play};

/// Bytes before the state and after it, in an image that is not sealed.
const HEADER: usize = 48;
const DIGEST: usize = 32;

fn with_digest(mut image: Vec<u8>) -> Vec<u8> {
    let end = image.len() - DIGEST;
    let digest = RustCrypto::hash(HashAlg::Sha256, &[&image[..end]]);
    image[end..].copy_from_slice(digest.as_bytes());
    image
}

#[test]
fn no_changed_byte_makes_half_a_tpm() {
    let mut tpm = started(7);
    let mut contexts = Contexts::new();
    for step in [(0, 0, 0), (2, 0, 0), (4, 0, 0), (8, 1, 0), (11, 0, 0), (11, 0, 1), (25, 1, 0), (25, 0, 0), (21, 1, 1)]
    {
        play(&mut tpm, &mut contexts, step);
    }
    play(&mut tpm, &mut contexts, (23, 0, 0));
    let images = [State::permanent(&mut tpm), State::volatile(&mut tpm)]
        .map(|state| state.unwrap().to_image(&Protection::None).unwrap());
    let mut refused = 0;
    for changed in 0..2 {
        for position in (HEADER..images[changed].len() - DIGEST).step_by(3) {
            let mut image = images[changed].clone();
            image[position] ^= 1 << (position % 8);
            let mut states = [0, 1].map(|part| State::from_image(&images[part], None).unwrap());
            states[changed] = State::from_image(&with_digest(image), None).unwrap();
            match restore(machine(9), Profile::pc_client(), &states[0], Some(&states[1])) {
                Ok(mut tpm) => {
                    for capability in [0x0200_0000u32, 0x0300_0000, 0x8000_0000, 0x8100_0000, 0x0100_0000] {
                        let parameters = [&[0, 0, 0, 1][..], &capability.to_be_bytes(), &[0, 0, 0, 64]].concat();
                        send(&mut tpm, &command(Cc::GET_CAPABILITY, &[], &[], &parameters));
                    }
                    (4..ALL).for_each(|kind| drop(play(&mut tpm, &mut contexts.clone(), (kind, 1, 0))));
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn a_state_that_ends_early_or_late_is_refused() {
    let image = State::permanent(&mut started(7)).unwrap().to_image(&Protection::None).unwrap();
    let state = &image[HEADER..image.len() - DIGEST];
    let with_state = |state: &[u8]| {
        let length = (state.len() as u32).to_be_bytes();
        let image = [&image[..HEADER - 4], &length, state, &[0; DIGEST]].concat();
        State::from_image(&with_digest(image), None).unwrap()
    };
    let make = |state: &State| restore(machine(9), Profile::pc_client(), state, None).map(|_| ());
    assert_eq!(make(&with_state(state)), Ok(()));
    for size in 0..state.len() {
        assert!(make(&with_state(&state[..size])).is_err(), "{size}");
    }
    assert!(make(&with_state(&[state, &[0]].concat())).is_err());
}
