// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The endorsement key of a simulated machine, over the evidence that its TPM gives.

use evtpm_agent::attester::Attester;
use evtpm_sp_sim::Product;
use evtpm_verify::snp::{Anchors, Collateral};

use super::args::{Evidence, Manifest, ManifestVersion};
use super::chain::{State, Verification, verify};
use crate::demo::world::World;
use evtpm_agent::random::SystemRng;

/// A machine's report and endorsement key, with the roots and the collateral of its chip.
fn evidence() -> Evidence {
    let world = World::new(Product::Milan).unwrap();
    let (vm, _) = world.play(world.launch().unwrap(), &world.boot).unwrap();
    let launch = Attester::new(vm, SystemRng).unwrap().launch_evidence(&[]).unwrap();
    let (name, certificate) = &world.beliefs.simulated_roots[0];
    let mut collateral = Collateral::new();
    collateral.add_files(world.beliefs.collateral.iter().map(|(name, bytes)| (name.as_str(), &**bytes))).unwrap();
    Evidence {
        at: super::moment::now(),
        anchors: Anchors::amd().unwrap().and_simulated(name, certificate).unwrap(),
        collateral,
        report: Some(launch.report.to_vec()),
        certificate_table: None,
        endorsements: Vec::new(),
        ek: Some(launch.ek_public.to_vec()),
        manifest: None,
        ak: Some(launch.ak_public.to_vec()),
        is_ak_bundled: false,
        quote: None,
        event_log: None,
        userspace_log: None,
        ima_log: None,
        ima_pcrs: evtpm_logs::PcrSet::EMPTY,
        hardware: Default::default(),
    }
}

fn states(verification: &Verification) -> Vec<(&'static str, State)> {
    verification.steps.iter().map(|step| (step.what, step.state)).collect()
}

#[test]
fn the_report_at_the_nv_index_binds_its_endorsement_key_and_says_that_it_is_simulated() {
    let verification = verify(evidence(), &Default::default());
    let expected =
        [("report", State::Verified), ("endorsement key", State::Verified), ("attestation key", State::Named)];
    assert_eq!(states(&verification), expected);
    assert!(verification.steps[0].detail.contains("no hardware stands behind it"), "{}", verification.steps[0].detail);
}

#[test]
fn another_endorsement_key_is_refused() {
    let mut changed = evidence();
    changed.ek.as_mut().unwrap()[60] ^= 1;
    assert_eq!(states(&verify(changed, &Default::default()))[1], ("endorsement key", State::Refused));
}

#[test]
fn a_report_of_an_untrusted_root_leaves_its_endorsement_key_out_of_reach() {
    let foreign = Evidence { anchors: Anchors::amd().unwrap(), ..evidence() };
    let found = states(&verify(foreign, &Default::default()));
    assert_eq!(found[..2], [("report", State::Refused), ("endorsement key", State::NotReached)]);
}

#[test]
fn a_report_without_a_nonce_is_no_answer_to_one() {
    for (version, nonce, size) in [(ManifestVersion::V0, vec![0; 64], 64), (ManifestVersion::V0, vec![0; 32], 32)] {
        let mut asked = evidence();
        let bytes = asked.ek.clone().unwrap().split_off(2);
        asked.manifest = Some(Manifest { version, nonce, bytes });
        let verification = verify(asked, &Default::default());
        assert_eq!(states(&verification)[1], ("endorsement key", State::Refused));
        assert_eq!(verification.steps[1].detail.contains("a nonce of 32 bytes instead of 64"), size == 32);
    }
}
