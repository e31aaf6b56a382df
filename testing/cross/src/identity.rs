// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks on whose key it is: false TPMs, old reports, relays between machines, a machine without an SVSM.

use evtpm_client::ClientError;
use evtpm_crypto::Rng;
use evtpm_engine::{Ek, Profile, Tpm};
use evtpm_snp::launch::VMSA_GPA;
use evtpm_snp::vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa};
use evtpm_snp::{PAGE_SIZE, PageType};
use evtpm_sp_sim::{LaunchFinish, LaunchStart, Product};
use evtpm_sp_simd::Channel;
use evtpm_svsm::GuestChannel;
use evtpm_svsm_abi::attest::{CALL_SINGLE_SERVICE, SingleServiceOperation};
use evtpm_svsm_abi::manifest::VTPM_SERVICE;
use evtpm_svsm_abi::{Call, Protocol, Registers, ResultCode};
use evtpm_testing_support::{
    GuestRam, Machine, Noise, POLICY, TestPlatform, boot, boot_on, chip, client, predicted_measurement,
};
use evtpm_verify::evtpm::{Binding, SvsmNonce, bind};
use evtpm_verify::{Claim, Error};

use crate::verifier::{Attester, LATER, NOW, ask, commitment, judge, objections, tpm2b, verify};

const PRODUCT: Product = Product::Milan;

fn boot_with(noise: u64) -> Machine {
    boot_on(chip(PRODUCT), TestPlatform::new(Noise::Good(noise)))
}

fn contradicts(error: &Error, claim: Claim) -> bool {
    matches!(error, Error::Mismatch { what, .. } if *what == claim)
}

/// Asks the SVSM with a verifier's nonce; returns the report and the manifest.
fn ask_svsm(machine: &mut Machine, nonce: &[u8; 64]) -> (Vec<u8>, Vec<u8>) {
    let mut memory = GuestRam::new();
    let mut operation = SingleServiceOperation::zeroed();
    operation.services.report_gpa = 0x4000.into();
    operation.services.report_size = 0x1000.into();
    operation.services.nonce_gpa = 0x2000.into();
    operation.services.nonce_size = 64.into();
    operation.services.manifest_gpa = 0x5000.into();
    operation.services.manifest_size = 0x1000.into();
    operation.service = VTPM_SERVICE;
    operation.manifest_version = 1.into();
    memory.store(0x1000, operation.as_bytes());
    memory.store(0x2000, nonce);
    let call = Call { protocol: Protocol::ATTEST, number: CALL_SINGLE_SERVICE };
    let mut registers = Registers { rax: call.to_rax(), rcx: 0x1000, ..Registers::default() };
    machine.call(&mut registers, &mut memory);
    assert_eq!(ResultCode(registers.rax), ResultCode::SUCCESS);
    (memory.at(0x4000, 0x4a0).to_vec(), memory.at(0x5000, registers.rcx as usize).to_vec())
}

#[test]
fn an_honest_machine_is_trusted_up_to_its_attestation_key() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let report = verify(&attester.report(), &mut chip(PRODUCT), PRODUCT).unwrap();
    let judgement = judge(&report, predicted_measurement(), PRODUCT, |_| {});
    assert_eq!(objections(&judgement), Vec::<String>::new());

    let ek = bind(report, Binding::NvReport { ek: &tpm2b(&attester.ek.public) }, NOW).unwrap();
    let (challenge, credential) = attester.challenge(ek);
    let secret = attester.open(&challenge).unwrap();
    credential.prove(&secret, NOW).unwrap();
}

/// Row 1: the guest runs a TPM of its own and shows its endorsement key beside the real report.
#[test]
fn a_software_tpm_beside_the_real_report_is_refused() {
    let mut machine = boot(chip(PRODUCT));
    let mut honest = Attester::start(client(&mut machine));
    let real_report = honest.report();

    let mut fake = Tpm::manufacture(TestPlatform::new(Noise::Good(1234)), Profile::svsm()).unwrap();
    let fake_ek = fake.host().ek_public(Ek::EccP256).unwrap();
    let report = verify(&real_report, &mut chip(PRODUCT), PRODUCT).unwrap();
    let refused = bind(report, Binding::NvReport { ek: &tpm2b(&fake_ek) }, NOW).unwrap_err();
    assert!(contradicts(&refused, Claim::ReportData), "{refused}");
}

/// Row 1, the other way: it shows the real endorsement key, but the attestation key is the software TPM's.
#[test]
fn a_software_tpm_cannot_open_a_credential_for_the_real_key() {
    let mut real = boot_with(1);
    let mut honest = Attester::start(client(&mut real));
    let report = verify(&honest.report(), &mut chip(PRODUCT), PRODUCT).unwrap();
    let bound = bind(report, Binding::NvReport { ek: &tpm2b(&honest.ek.public) }, NOW).unwrap();

    let mut software = boot_with(2);
    let mut attacker = Attester::start(client(&mut software));
    let (challenge, credential) = attacker.challenge(bound);
    // Neither TPM has both keys: the attacker's lacks the endorsement key, and the real one the attestation key.
    assert!(matches!(attacker.open(&challenge), Err(ClientError::Refused { .. })));
    assert!(matches!(honest.open(&challenge), Err(ClientError::Refused { .. })));
    credential.prove(&[0; 32], NOW).unwrap_err();
}

/// Row 3: the report of an earlier boot, or of another machine with the same image on the same chip.
#[test]
fn a_report_of_an_earlier_boot_vouches_for_no_later_key() {
    let mut machine = boot_with(1);
    let mut first = Attester::start(client(&mut machine));
    let (old_report, old_ek) = (first.report(), first.ek.public.clone());

    let mut machine = machine.reset().unwrap();
    let mut second = Attester::start(client(&mut machine));
    let verified = || verify(&old_report, &mut chip(PRODUCT), PRODUCT).unwrap();
    let refused = bind(verified(), Binding::NvReport { ek: &tpm2b(&second.ek.public) }, NOW).unwrap_err();
    assert!(contradicts(&refused, Claim::ReportData), "{refused}");

    // With the key of its own boot it binds, but nobody has that key any more.
    let bound = bind(verified(), Binding::NvReport { ek: &tpm2b(&old_ek) }, NOW).unwrap();
    let (challenge, credential) = second.challenge(bound);
    assert!(matches!(second.open(&challenge), Err(ClientError::Refused { .. })));
    credential.prove(&[0; 32], NOW).unwrap_err();
}

/// Row 3 where the SVSM is asked: the nonce is the verifier's, and used once.
#[test]
fn a_report_for_another_nonce_is_refused() {
    let mut machine = boot(chip(PRODUCT));
    let ek = tpm2b(&machine.tpm().host().ek_public(Ek::EccP256).unwrap());
    let nonce = |seed| SvsmNonce::issue(&mut Noise::Good(seed), LATER).unwrap();
    let (report, manifest) = ask_svsm(&mut machine, nonce(1).challenge());
    let binding = |nonce| Binding::ManifestV1 { nonce, manifest: &manifest, ek: &ek };
    let verified = || verify(&report, &mut chip(PRODUCT), PRODUCT).unwrap();
    bind(verified(), binding(nonce(1)), NOW).unwrap();
    let refused = bind(verified(), binding(nonce(2)), NOW).unwrap_err();
    assert!(contradicts(&refused, Claim::ReportData), "{refused}");
    assert_eq!(
        bind(verified(), binding(nonce(1)), LATER).unwrap_err(),
        Error::NonceExpired { expired: LATER, at: LATER }
    );
}

/// Row 4: without an SVSM the guest's own firmware runs at VMPL 0 and puts any key into its report.
#[test]
fn firmware_at_vmpl_0_without_an_svsm_is_known_by_its_measurement() {
    let mut host = chip(PRODUCT);
    let vmsa = Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE);
    let (code, empty) = ([0xf4; PAGE_SIZE], [0; PAGE_SIZE]);
    let pages = [
        (PageType::Normal, 0xffff_f000, &code),
        (PageType::Secrets, 0x80_d000, &empty),
        (PageType::Vmsa, VMSA_GPA, vmsa.as_bytes()),
    ];
    let guest = evtpm_sp_simd::launch(&mut host, &LaunchStart::new(POLICY), pages, &LaunchFinish::default()).unwrap();
    let mut channel = GuestChannel::new(guest.secrets.vmpck[0], 0, 0);
    let mut software = Tpm::manufacture(TestPlatform::new(Noise::Good(5)), Profile::svsm()).unwrap();
    let key = software.host().ek_public(Ek::EccP256).unwrap();
    let mut way = Channel::new(host, guest.guest);
    let report = ask(&mut channel, &mut way, commitment(&key), 0).unwrap();

    // The report is genuine, of VMPL 0, and binds the key: only the measurement tells.
    let report = verify(&report, way.firmware(), PRODUCT).unwrap();
    bind(report.clone(), Binding::NvReport { ek: &tpm2b(&key) }, NOW).unwrap();
    let judgement = judge(&report, predicted_measurement(), PRODUCT, |_| {});
    assert_eq!(objections(&judgement), ["snp.measurement"]);
}

/// Row 18, as far as keys go: the attacker's machine shows the victim's endorsement key with its report.
#[test]
fn the_key_of_another_machine_activates_nothing_here() {
    let mut victim = boot_with(1);
    let mut owner = Attester::start(client(&mut victim));
    let report = verify(&owner.report(), &mut chip(PRODUCT), PRODUCT).unwrap();
    let bound = bind(report, Binding::NvReport { ek: &tpm2b(&owner.ek.public) }, NOW).unwrap();

    let mut thief = boot_with(2);
    let mut attacker = Attester::start(client(&mut thief));
    let (challenge, credential) = attacker.challenge(bound);
    let opened = attacker.open(&challenge);
    assert!(matches!(opened, Err(ClientError::Refused { .. })), "{opened:?}");
    let mut guess = [0; 32];
    Noise::Good(3).fill(&mut guess).unwrap();
    credential.prove(&guess, NOW).unwrap_err();
}
