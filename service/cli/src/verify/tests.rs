// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The endorsement key of a simulated machine, over the evidence that its TPM gives.

use evtpm_agent::attester::Attester;
use evtpm_sp_sim::Product;
use evtpm_tpm_wire::{HashAlg, Marshal, PcrIndex, PcrSelect, TpmlPcrSelection, TpmsPcrSelection};
use evtpm_verify::snp::{Anchors, Collateral};

use super::args::{Evidence, Manifest, ManifestVersion, QuoteFiles};
use super::chain::{State, Verification, verify};
use crate::demo::world::World;
use evtpm_agent::random::SystemRng;

/// A machine's report and endorsement key, with the roots and the collateral of its chip.
fn evidence() -> Evidence {
    evidence_with(None)
}

/// Makes a nonce of report data.
type Nonce = fn(&[u8]) -> Vec<u8>;

/// The same with a quote of PCR 0, over such a nonce.
fn evidence_with(nonce: Option<Nonce>) -> Evidence {
    let world = World::new(Product::Milan).unwrap();
    let (vm, _) = world.play(world.launch().unwrap(), &world.boot).unwrap();
    let mut attester = Attester::new(vm, SystemRng).unwrap();
    let launch = attester.launch_evidence(&[]).unwrap();
    let quote = nonce.map(|nonce| {
        let nonce = nonce(&launch.report[0x50..0x90]);
        let select = PcrSelect::NONE.with(PcrIndex::new(0).unwrap());
        let selection = [TpmsPcrSelection { hash: HashAlg::Sha256, select }];
        let selection = TpmlPcrSelection::from_slice(&selection).unwrap();
        let (quote, values) = attester.keys().consistent_quote(&nonce, &selection).unwrap();
        let signature = quote.signature.to_bytes(&mut [0; 1024]).unwrap().to_vec();
        let pcrs = format!("sha256:0={}\n", hex::encode(values[0].digest.as_bytes())).into_bytes();
        QuoteFiles { message: quote.attest.as_bytes().to_vec(), signature, pcrs, nonce }
    });
    let (name, certificate) = &world.beliefs.simulated_roots[0];
    let mut collateral = Collateral::new();
    collateral.add_files(world.beliefs.collateral.iter().map(|(name, bytes)| (name.as_str(), &**bytes))).unwrap();
    Evidence {
        endorsement_authorities: Vec::new(),
        certification: None,
        at: super::moment::now(),
        anchors: Anchors::amd().unwrap().and_simulated(name, certificate).unwrap(),
        collateral,
        report: Some(launch.report.to_vec()),
        certificate_table: None,
        endorsements: Vec::new(),
        ek: Some(launch.ek_public.to_vec()),
        manifest: None,
        ak: Some(launch.ak_public.to_vec()),
        ak_certificates: Vec::new(),
        ak_authorities: Vec::new(),
        is_ak_bundled: false,
        quote,
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

/// A report and a quote side by side: the report is not followed to the TPM.
fn side_by_side(nonce: Nonce) -> Verification {
    verify(Evidence { ek: None, ..evidence_with(Some(nonce)) }, &Default::default())
}

#[test]
fn a_report_that_leads_to_no_key_is_tied_to_the_quote_by_one_challenge_and_no_more() {
    let shared = side_by_side(<[u8]>::to_vec);
    assert_eq!(states(&shared).last(), Some(&("one challenge", State::Verified)));
    assert!(shared.not_checked.iter().any(|gap| gap.starts_with("whether the TPM is this guest's")));
    for other in [|_: &[u8]| vec![7; 32], |data: &[u8]| data[..32].to_vec()] {
        let apart = side_by_side(other);
        assert!(!apart.steps.iter().any(|step| step.what == "one challenge"), "{:?}", apart.steps);
        assert!(apart.not_checked.iter().any(|gap| gap.starts_with("whether report and quote answer one challenge")));
    }
}
