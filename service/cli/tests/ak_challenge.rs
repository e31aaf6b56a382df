// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm ak-challenge`, answered by our own TPM as `gotpm register solve-challenge` does, and `evtpm verify` of the answer.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

mod support;

use std::fs;
use std::path::Path;

use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_snp::SigningKey;
use evtpm_sp_sim::{Authority, Product, Role};
use evtpm_testing_support::{boot, chip, client};
use evtpm_tpm_wire::{Handle, Marshal, Supported, Tpm2b, TpmSu, TpmiRhHierarchy, TpmtPublic, from_bytes};
use support::{Evtpm, FAILED, NOT_APPRAISED, NOT_TRUSTED, Scratch, TRUSTED, USAGE, step};

fn bytes_of(value: &impl Marshal) -> Vec<u8> {
    value.to_bytes(&mut [0; 4096]).unwrap().to_vec()
}

/// The fields of a message of Protocol Buffers that has nothing but bytes.
fn fields(mut message: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while let [_, rest @ ..] = message {
        let (low, high) = (usize::from(rest[0]), usize::from(rest[1]));
        let (length, body) = if low < 0x80 { (low, &rest[1..]) } else { (low & 0x7F | high << 7, &rest[2..]) };
        fields.push(body[..length].to_vec());
        message = &body[length..];
    }
    fields
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8], bytes].concat()
}

/// Writes what a simulated chip's owner knows, what an e-vTPM shows, and what it answers to a challenge.
fn answered(scratch: &Scratch) -> Evtpm {
    let mut machine = boot(chip(Product::Milan));
    let mut tpm = client(&mut machine);
    tpm.startup(TpmSu::Clear).unwrap();
    let report = tpm.nv_read(Handle(EkTemplate::L2.certificate_index()), &[]).unwrap();
    let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public()).unwrap();
    let ek_file = scratch.file("ek.pub", bytes_of(&Tpm2b(ek.public.clone())));
    let root = scratch.file("root.der", Authority::new(Product::Milan).certificate(Role::Ark).unwrap());
    let ask = scratch.file("ask.der", Authority::new(Product::Milan).certificate(Role::Ask).unwrap());
    let vcek = chip(Product::Milan).processor().endorsement_certificate(SigningKey::Vcek).unwrap();
    let vcek = scratch.file("vcek.der", vcek);

    let [challenge, secret] = ["challenge", "secret"].map(|name| ek_file.with_file_name(name));
    let make = Evtpm::new("ak-challenge").with("--ek", &ek_file);
    let make = make.with("--challenge", &challenge).with("--secret", &secret);
    make.expect(TRUSTED);
    // Nothing is written over.
    make.expect(FAILED);
    let message = fields(&fs::read(&challenge).unwrap());
    let [duplicate, seed, public] = message.as_slice() else { return make };
    let public: TpmtPublic = from_bytes(public, &Supported::ALL).unwrap();
    let key = tpm.import_below_endorsement_key(&ek, &[], &public, duplicate, seed).unwrap();
    let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &attestation_key()).unwrap();
    let certificate = tpm.certify(&ak, &key, &[]).unwrap();
    let signature = bytes_of(&certificate.signature);
    let parts = [field(1, &bytes_of(&ak.public)), field(2, certificate.attest.as_bytes()), field(3, &signature)];
    let answer = scratch.file("answer", parts.concat());
    Evtpm::new("verify")
        .with("--report", scratch.file("report", report))
        .with("--certificates", vcek)
        .with("--certificates", ask)
        .with("--trust-simulated", format!("SIMULATED ARK-Milan={}", root.display()))
        .with("--ek", ek_file)
        .with("--ak-certification", answer)
        .with("--ak-secret", secret)
}

#[test]
fn an_attestation_key_that_answers_the_challenge_is_the_reports_and_nobody_has_to_vouch_for_it() {
    let scratch = Scratch::new("ak-challenge");
    let command = answered(&scratch);
    let record = command.json(NOT_APPRAISED);
    assert_eq!(step(&record, "attestation key").0, "verified", "{record:#}");
    let secret = Path::new(command.0.last().unwrap()).to_owned();
    assert_eq!(fs::read(&secret).unwrap().len(), 32);

    // The answer to another challenge, and a key that did not answer.
    let mut other = fs::read(&secret).unwrap();
    other[0] ^= 1;
    fs::write(&secret, other).unwrap();
    let record = command.json(NOT_TRUSTED);
    assert_eq!(step(&record, "attestation key").0, "refused", "{record:#}");
    assert!(step(&record, "attestation key").1.contains("did not certify"), "{record:#}");
    fs::write(&secret, [0; 31]).unwrap();
    command.expect(FAILED);
}

#[test]
fn without_a_report_the_answer_leads_nowhere_and_without_its_secret_it_is_no_answer() {
    let scratch = Scratch::new("ak-challenge-alone");
    let command = answered(&scratch);
    let without = |option: &str| {
        let at = command.0.iter().position(|word| word == option).unwrap();
        let mut words = command.0.clone();
        words.drain(at..at + 2);
        Evtpm(words)
    };
    let record = without("--ek").json(NOT_APPRAISED);
    assert_eq!(step(&record, "attestation key").0, "not-reached", "{record:#}");
    without("--ak-secret").expect(USAGE);
}
