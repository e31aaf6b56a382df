// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The demonstration, attack by attack.

use evtpm_sp_sim::Product;

use super::*;

#[test]
fn a_good_machine_is_trusted_on_every_product() {
    for product in Product::ALL {
        let world = World::new(product).unwrap();
        let verifier = world.verifier(world.beliefs.clone()).unwrap();
        let (vm, played) = world.play(world.launch().unwrap(), &world.boot).unwrap();
        assert_eq!((played.events, played.files), (29, 350));
        let answer = world.attest(&verifier, "vm", vm, &world.boot).unwrap();
        assert!(answer.is_trusted(), "{product:?}: {:?}", answer.reasons());
        let simulated = answer.reasons().iter().any(|reason| reason.contains("SIMULATED"));
        assert!(simulated, "the verdict must say that its root is simulated");
    }
}

#[test]
fn every_attack_is_caught_by_its_finding_and_its_honest_twin_is_trusted() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = world.verifier(world.beliefs.clone()).unwrap();
    for (number, attack) in (1..).zip(ATTACKS) {
        for play in [Play::Honest, Play::Tampered] {
            let machine = format!("{play:?}-{number}");
            let stage = Stage { world: &world, verifier: &verifier, machine: &machine, play };
            let answer = (attack.run)(stage).unwrap_or_else(|error| panic!("{} ({play:?}): {error:#}", attack.name));
            if play.is_tampered() {
                assert!(is_caught(attack, &answer), "{}: {:?}", attack.name, answer.reasons());
            } else {
                assert!(answer.is_trusted(), "{} played honestly: {:?}", attack.name, answer.reasons());
            }
        }
    }
}

#[test]
fn the_readme_counts_the_attacks() {
    let readme = include_str!("../../../../README.md");
    assert_eq!(ATTACKS.len(), 25, "and the README and the CHANGELOG say so in words");
    assert!(readme.contains("twenty-five attacks"));
}

#[test]
fn the_demo_reaches_its_verdict_within_ten_seconds() {
    let began = std::time::Instant::now();
    let world = World::new(Product::Milan).unwrap();
    let verifier = world.verifier(world.beliefs.clone()).unwrap();
    let (vm, _) = world.play(world.launch().unwrap(), &world.boot).unwrap();
    assert!(world.attest(&verifier, "vm", vm, &world.boot).unwrap().is_trusted());
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
