// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks with keys that are not the guest's now: the message keys of other levels, the objects of another boot.

use anyhow::{Context, Result};
use evtpm_client::{Client, ClientError, Object};
use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_snp::MessageType;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_svsm::{GuestChannel, SecureProcessor};
use evtpm_tpm_wire::{Tpm2bPrivate, TpmiRhHierarchy, TpmtPublic};
use evtpm_tpmd::devices::platform::HostedPlatform;

use super::Attack;
use crate::demo::verifier::Answer;
use crate::launch::{self, Image};
use crate::vm::Vm;
use evtpm_agent::random::SystemRng;

/// The level that an SVSM gives to its guest.
const GUEST_VMPL: u8 = 2;

pub(super) const BORROWED_MESSAGE_KEY: Attack = Attack {
    name: "borrowed message key",
    row: 6,
    about: "the guest looks for VMPL 0's message key in its secrets page, and seals for VMPL 0 with what it finds",
    caught_by: "INVALID_PARAM",
    run: |stage| {
        let (mut secrets, mut carrier) =
            launch::launch_with_secrets(stage.world.host()?, &Image::new(&stage.world.executable))?;
        if stage.play.is_tampered() {
            // What the SVSM hands on; to begin with, zeros where its own key was.
            secrets.hide_keys_above(GUEST_VMPL);
            let refusals: Vec<String> =
                secrets.vmpck.into_iter().filter_map(|key| report_of_vmpl_0(key, &mut carrier).err()).collect();
            anyhow::ensure!(refusals.len() == secrets.vmpck.len(), "the guest spoke for VMPL 0");
            return Ok(Answer::NoEvidence(refusals.join("; ")));
        }
        let [vmpck0, ..] = secrets.vmpck;
        anyhow::ensure!(report_of_vmpl_0(vmpck0, &mut carrier).is_ok(), "the SVSM cannot speak for VMPL 0");
        // One request and its answer have gone over the channel.
        let channel = GuestChannel::new(vmpck0, 0, 2);
        let vm = Vm::manufacture(HostedPlatform::new(), carrier, channel)?;
        let (vm, _) = stage.world.play(vm, &stage.world.boot)?;
        stage.world.attest(stage.verifier, stage.machine, vm, &stage.world.boot)
    },
};

/// Asks the chip for a report of VMPL 0, sealed with `key`; gives the reason if there is none.
fn report_of_vmpl_0(key: [u8; 32], carrier: &mut impl SecureProcessor) -> Result<(), String> {
    let mut channel = GuestChannel::new(key, 0, 0);
    let request = ReportRequest::new([0; 64], 0, KeySelect::Auto);
    let answer = channel.request(carrier, MessageType::ReportRequest, request.as_bytes(), None);
    let answer = answer.map_err(|error| error.to_string())?;
    let report = ReportResponse::parse(answer).map_err(|error| error.to_string())?;
    report.map(drop).map_err(|status| status.to_string())
}

pub(super) const KEY_OF_ANOTHER_BOOT: Attack = Attack {
    name: "key of another boot",
    row: 17,
    about: "the guest kept an attestation key on its disk, wrapped by the TPM of the boot before",
    caught_by: "TPM_RC_INTEGRITY",
    run: |stage| {
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        let mut client = Client::new(vm, SystemRng);
        let parent = storage_root(&mut client)?;
        let kept = client.create(&parent, &[], &attestation_key())?;
        if stage.play.is_tampered() {
            let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
            let mut client = Client::new(vm, SystemRng);
            let parent = storage_root(&mut client)?;
            return match load(&mut client, &parent, &kept) {
                Ok(_) => anyhow::bail!("a key of another boot was loaded"),
                Err(error) => Ok(Answer::NoEvidence(error.to_string())),
            };
        }
        let loaded = load(&mut client, &parent, &kept).context("loading a key of this boot")?;
        client.flush(loaded.handle)?;
        client.flush(parent.handle)?;
        stage.world.attest(stage.verifier, stage.machine, client.into_transport(), &stage.world.boot)
    },
};

fn storage_root(tpm: &mut Client<Vm, SystemRng>) -> Result<Object> {
    Ok(tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key())?)
}

fn load(
    tpm: &mut Client<Vm, SystemRng>,
    parent: &Object,
    (private, public): &(Tpm2bPrivate, TpmtPublic),
) -> Result<Object, ClientError> {
    tpm.load(parent, &[], private, public)
}
