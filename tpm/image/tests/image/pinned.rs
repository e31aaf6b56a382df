// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Images that an earlier program wrote, kept in testing/vectors: a change of the values or their order is a new version.

use std::path::PathBuf;

use evtpm_crypto::entropy::NoiseSource;
use evtpm_engine::Profile;
use evtpm_image::{Protection, State, restore};
use evtpm_testing_support::Noise;

use crate::machine::{machine, started};
use crate::moves::{ALL, Contexts, play};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/state-image").join(name)
}

fn read(name: &str) -> State {
    State::from_image(&std::fs::read(file(name)).unwrap(), None).unwrap()
}

#[test]
fn an_image_of_version_1_is_read_and_written_as_it_was() {
    let (permanent, volatile) = (read("permanent-1.img"), read("volatile-1.img"));
    let mut platform = machine(9);
    platform.now_ms = 5_000;
    let mut tpm = restore(platform, Profile::pc_client(), &permanent, Some(&volatile)).unwrap();
    assert_eq!(State::permanent(&mut tpm).unwrap(), permanent);
    assert_eq!(State::volatile(&mut tpm).unwrap(), volatile);
}

#[test]
fn an_image_of_version_1_starts_up() {
    let tpm = restore(machine(9), Profile::pc_client(), &read("permanent-1.img"), None);
    assert!(tpm.is_ok());
}

/// Run this by its name, and raise the numbers, when the format has a new version.
#[test]
#[ignore = "writes the vectors anew"]
fn write_the_images() {
    let (mut tpm, mut contexts) = (started(7), Contexts::new());
    let mut random = Noise::Good(1);
    for _ in 0..1_000 {
        let [a, b, kind, ..] = random.sample().unwrap().to_le_bytes();
        play(&mut tpm, &mut contexts, (kind % ALL, a, b));
    }
    for (name, state) in
        [("permanent-1.img", State::permanent(&mut tpm)), ("volatile-1.img", State::volatile(&mut tpm))]
    {
        std::fs::write(file(name), state.unwrap().to_image(&Protection::None).unwrap()).unwrap();
    }
}
