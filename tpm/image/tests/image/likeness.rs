// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM restored from an image answers the same commands with the same bytes as the TPM that was saved.

use evtpm_crypto::entropy::NoiseSource;
use evtpm_engine::Profile;
use evtpm_image::{State, restore};
use evtpm_testing_support::Noise;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::machine::{TestTpm, machine, rc, started};
use crate::moves::{ALL, Contexts, DETERMINISTIC, Move, play};

/// Both parts of a TPM's state through images, and a TPM made of them.
fn copy(tpm: &mut TestTpm, noise: u64) -> TestTpm {
    let through_image = |state: State| {
        let image = state.to_image(&evtpm_image::Protection::None).unwrap();
        State::from_image(&image, None).unwrap()
    };
    let permanent = through_image(State::permanent(tpm).unwrap());
    let volatile = through_image(State::volatile(tpm).unwrap());
    let mut platform = machine(noise);
    platform.now_ms = tpm.platform().now_ms;
    restore(platform, Profile::pc_client(), &permanent, Some(&volatile)).unwrap()
}

fn moves(kinds: u8, most: usize) -> impl Strategy<Value = Vec<Move>> {
    vec((0..kinds, any::<u8>(), any::<u8>()), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_restored_tpm_answers_like_the_one_that_was_saved(
        past in moves(ALL, 60),
        future in moves(DETERMINISTIC, 40),
        anything in moves(ALL, 40),
    ) {
        let (mut tpm, mut contexts) = (started(7), Contexts::new());
        past.into_iter().for_each(|past| drop(play(&mut tpm, &mut contexts, past)));
        let (mut one, mut other) = (copy(&mut tpm, 8), copy(&mut tpm, 8));
        let mut again = copy(&mut tpm, 9);

        let mut seen = contexts.clone();
        let mut kept = State::permanent(&mut one).unwrap();
        for step in anything {
            let mut seen_by_other = seen.clone();
            prop_assert_eq!(play(&mut one, &mut seen, step), play(&mut other, &mut seen_by_other, step), "{:?}", step);
            prop_assert_eq!(&seen, &seen_by_other);
            // What spares a host the writing of its files must never spare it a change.
            let now = State::permanent(&mut one).unwrap();
            prop_assert_eq!(kept.is_permanent_of(&mut one), kept == now);
            prop_assert!(one.may_differ_from_saved() || kept == now, "{:?} changed what is kept", step);
            kept = now;
        }
        for step in future {
            let mut seen = contexts.clone();
            prop_assert_eq!(play(&mut tpm, &mut contexts, step), play(&mut again, &mut seen, step), "{:?}", step);
            prop_assert_eq!(&contexts, &seen);
        }
    }
}

/// Without this the property could be one of refusals only.
#[test]
fn every_move_succeeds_at_some_time() {
    let (mut tpm, mut contexts) = (started(7), Contexts::new());
    let mut succeeded = [false; ALL as usize];
    let mut random = Noise::Good(1);
    for _ in 0..4_000 {
        let [a, b, kind, ..] = random.sample().unwrap().to_le_bytes();
        let kind = kind % ALL;
        let response = play(&mut tpm, &mut contexts, (kind, a, b));
        succeeded[usize::from(kind)] |= response.len() >= 10 && rc(&response) == 0;
    }
    let failed: Vec<usize> = (0..succeeded.len()).filter(|kind| !succeeded[*kind]).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn two_copies_with_different_noise_draw_different_nonces() {
    let mut tpm = started(7);
    let (mut one, mut other) = (copy(&mut tpm, 8), copy(&mut tpm, 9));
    let draw = |tpm: &mut TestTpm| play(tpm, &mut Contexts::new(), (26, 0, 0));
    assert_ne!(draw(&mut one), draw(&mut other));
    assert_ne!(draw(&mut tpm), draw(&mut other), "the generator's state is not in the image");
}
