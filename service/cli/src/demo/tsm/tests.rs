// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the verifier's nonce to a verdict over the SVSM attestation protocol, and what is refused on the way.

use anyhow::Result;
use evtpm_agent::attester::Attester;
use evtpm_agent::random::SystemRng;
use evtpm_agent::tsm::{ServiceReport, SvsmReports};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_snp::MessageType;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_sp_sim::Product;
use evtpm_svsm::GuestChannel;
use evtpm_tpmd::devices::platform::HostedPlatform;

use super::*;
use crate::demo::verifier::Answer;
use crate::demo::world::World;
use crate::launch::{Image, launch_with_secrets};

/// Asks with another nonce, asks for another version, or shows something else than it was given.
struct Between<S, F> {
    svsm: S,
    nonce: Option<[u8; 64]>,
    versions: &'static [u32],
    change: F,
}

impl<S, F> std::fmt::Debug for Between<S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between")
    }
}

impl<S: SvsmReports, F: FnMut(&[u8; 64], &mut ServiceReport) + Send> SvsmReports for Between<S, F> {
    fn vtpm_report(&mut self, nonce: &[u8; 64], version: u32) -> Result<Option<ServiceReport>> {
        if !self.versions.contains(&version) {
            return Ok(None);
        }
        let mut answer = self.svsm.vtpm_report(self.nonce.as_ref().unwrap_or(nonce), version)?;
        if let Some(answer) = &mut answer {
            (self.change)(nonce, answer);
        }
        Ok(answer)
    }
}

const BOTH: &[u32] = &[0, 1];

/// Attests a good machine through the SVSM, with somebody between its agent and its kernel.
fn attest(
    world: &World,
    nonce: Option<[u8; 64]>,
    versions: &'static [u32],
    change: impl FnMut(&[u8; 64], &mut ServiceReport) + Send + 'static,
) -> Answer {
    let verifier = world.verifier(world.beliefs.clone()).unwrap();
    let (vm, _) = world.play(world.launch().unwrap(), &world.boot).unwrap();
    let svsm = Between { svsm: GuestKernel::open(&vm).unwrap(), nonce, versions, change };
    world.attest_by_svsm(&verifier, "vm", vm, svsm).unwrap()
}

fn assert_refused(answer: &Answer, why: &str) {
    let Answer::Refused(message) = answer else { panic!("not refused: {answer:?}") };
    assert!(message.contains(why), "{message}");
}

#[test]
fn a_report_over_the_verifiers_nonce_is_trusted_with_either_manifest() {
    let world = World::new(Product::Milan).unwrap();
    for versions in [BOTH, &[0]] {
        let answer = attest(&world, None, versions, |_, _| {});
        assert!(answer.is_trusted(), "{versions:?}: {:?}", answer.reasons());
    }
}

#[test]
fn the_newest_manifest_is_asked_for_first() {
    let world = World::new(Product::Milan).unwrap();
    let (vm, _) = world.play(world.launch().unwrap(), &world.boot).unwrap();
    let svsm = GuestKernel::open(&vm).unwrap();
    let mut attester = Attester::with_svsm(vm, SystemRng, Box::new(svsm)).unwrap();
    let evidence = attester.launch_evidence(&[7; 64]).unwrap();
    assert_eq!(evidence.binding, evtpm_api::Binding::SvsmV1);
    assert!(evidence.certificates.is_some_and(|table| !table.is_empty()), "the host has certificates");
    let error = attester.launch_evidence(&[7; 63]).unwrap_err().to_string();
    assert!(error.contains("63 bytes instead of 64"), "{error}");
}

#[test]
fn a_report_over_another_nonce_is_refused() {
    let world = World::new(Product::Milan).unwrap();
    for versions in [BOTH, &[0]] {
        assert_refused(&attest(&world, Some([7; 64]), versions, |_, _| {}), "report data");
    }
}

#[test]
fn a_changed_manifest_is_refused() {
    let world = World::new(Product::Milan).unwrap();
    for versions in [BOTH, &[0]] {
        let answer = attest(&world, None, versions, |_, answer| *answer.manifest.last_mut().unwrap() ^= 1);
        assert_refused(&answer, "report data");
    }
}

#[test]
fn a_report_that_the_guest_gets_at_its_own_level_is_refused() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = world.verifier(world.beliefs.clone()).unwrap();
    let (secrets, carrier) = launch_with_secrets(world.host().unwrap(), &Image::new(&world.executable)).unwrap();
    let [vmpck0, _, vmpck2, _] = secrets.vmpck;
    let vm = Vm::manufacture(HostedPlatform::new(), carrier, GuestChannel::new(vmpck0, 0, 0)).unwrap();
    let (vm, _) = world.play(vm, &world.boot).unwrap();

    // The right nonce, the right manifest, a genuine signature; but nobody at VMPL 0 was asked.
    let (machine, mut channel) = (vm.clone(), GuestChannel::new(vmpck2, 2, 0));
    let at_vmpl_2 = move |nonce: &[u8; 64], answer: &mut ServiceReport| {
        let digest = RustCrypto::hash(HashAlg::Sha512, &[nonce, &answer.manifest]);
        let request = ReportRequest::new(digest.as_bytes().try_into().unwrap(), 2, KeySelect::Auto);
        let mut svsm = machine.svsm();
        let payload = channel.request(svsm.processor(), MessageType::ReportRequest, request.as_bytes(), None).unwrap();
        answer.report = ReportResponse::parse(payload).unwrap().unwrap().as_bytes().to_vec();
    };
    let svsm = Between { svsm: GuestKernel::open(&vm).unwrap(), nonce: None, versions: BOTH, change: at_vmpl_2 };
    assert_refused(&world.attest_by_svsm(&verifier, "vm", vm, svsm).unwrap(), "VMPL");
}

#[test]
fn a_manifest_that_the_svsm_does_not_know_is_refused_by_it() {
    let world = World::new(Product::Milan).unwrap();
    let vm = world.launch().unwrap();
    assert!(GuestKernel::open(&vm).unwrap().vtpm_report(&[7; 64], 2).unwrap().is_none());
}
