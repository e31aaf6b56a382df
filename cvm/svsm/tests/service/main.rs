// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The service over a simulated chip: what a guest sees of it, what a hostile host and a hostile guest can do to it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod attestation;
mod boots;
mod calls;
mod certificates;
mod hostile_guest;
mod hostile_host;
mod locks;
mod noise;

use evtpm_client::ClientError;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_protocol::templates::EkTemplate;
use evtpm_snp::Report;
use evtpm_sp_sim::Product;
use evtpm_testing_support::{Machine, boot, chip, client};
use evtpm_tpm_wire::{Handle, Marshal, Rc, Tpm2b, TpmSu, TpmiRhHierarchy, TpmtPublic};

/// The keys in the order of the service: elliptic ones at boot, RSA when asked for.
const TEMPLATES: [EkTemplate; 3] = [EkTemplate::L2, EkTemplate::H3, EkTemplate::L1];

fn index(template: EkTemplate) -> Handle {
    Handle(template.certificate_index())
}

/// A machine whose firmware has started the TPM.
fn started() -> Machine {
    let mut machine = boot(chip(Product::Milan));
    client(&mut machine).startup(TpmSu::Clear).unwrap();
    machine
}

/// How many messages the chip was given so far.
fn delivered(machine: &mut Machine) -> u64 {
    machine.processor().host().delivered()
}

fn read(machine: &mut Machine, template: EkTemplate) -> Result<Report, ClientError> {
    client(machine).nv_read(index(template), &[]).map(|bytes| Report::parse(&bytes).unwrap())
}

/// Makes the key as the guest does, by its template.
fn ek(machine: &mut Machine, template: EkTemplate) -> TpmtPublic {
    let mut tpm = client(machine);
    let made = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public()).unwrap();
    tpm.flush(made.handle).unwrap();
    made.public
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    RustCrypto::hash(HashAlg::Sha512, parts).as_bytes().try_into().unwrap()
}

fn tpm2b(public: &TpmtPublic) -> Vec<u8> {
    Tpm2b(public.clone()).to_bytes(&mut [0; 512]).unwrap().to_vec()
}

fn tpmt(public: &TpmtPublic) -> Vec<u8> {
    public.to_bytes(&mut [0; 512]).unwrap().to_vec()
}

/// Says whether a report of VMPL 0 commits to a key as in the paper: REPORT_DATA = SHA-512(TPM2B_PUBLIC).
fn vouches(report: &Report, key: &TpmtPublic) -> bool {
    report.vmpl() == 0 && *report.report_data() == sha512(&[&tpm2b(key)])
}

/// The code with which the TPM refused.
fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Rc {
    match result {
        Err(ClientError::Refused { code, .. }) => code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
