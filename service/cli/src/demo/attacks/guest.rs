// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks of the guest's operating system: other TPMs, other reports, the report's own index.

use anyhow::{Context, Result};
use evtpm_client::{Client, Transport, TransportError};
use evtpm_crypto::{Crypto, HashAlg as Hash, RustCrypto};
use evtpm_protocol::templates::EkTemplate;
use evtpm_snp::MessageType;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_sp_sim::Product;
use evtpm_svsm::GuestChannel;
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, Tpm2bDigest, TpmaNv, TpmiRhHierarchy, TpmiRhNvLegacyIndex, TpmsNvPublic, Writer,
};

use super::{Attack, Stage};
use crate::demo::verifier::Answer;
use crate::launch::{self, Image};
use crate::software_tpm::SoftwareTpm;
use crate::vm::Vm;
use evtpm_agent::random::SystemRng;

/// The NV index of the P-256 endorsement key's certificate, where the report lies.
const INDEX: u32 = EkTemplate::L2.certificate_index();

pub(super) const FAKE_VTPM: Attack = Attack {
    name: "fake vTPM",
    row: 1,
    about: "the guest runs a software TPM of its own and shows it with the real report",
    caught_by: "report data",
    run: |stage| {
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        if !stage.play.is_tampered() {
            return stage.world.attest(stage.verifier, stage.machine, vm, &stage.world.boot);
        }
        let report = Client::new(vm, SystemRng).nv_read(Handle(INDEX), &[])?;
        let (fake, _) = stage.world.play(SoftwareTpm::new()?, &stage.world.boot)?;
        let fake = with_report(fake, &report)?;
        stage.world.attest(stage.verifier, stage.machine, fake, &stage.world.boot)
    },
};

pub(super) const FORGED_REPORT: Attack = Attack {
    name: "forged report",
    row: 2,
    about: "one bit of the report is changed on its way to the verifier",
    caught_by: "not signed by",
    run: |stage| {
        // FAMILY_ID, which is zero here and which nothing but the signature protects.
        let family = if stage.play.is_tampered() { Some((0x10, vec![1])) } else { None };
        attest_with_changed_report(stage, family)
    },
};

pub(super) const UNKNOWN_REPORT: Attack = Attack {
    name: "report of no known version",
    row: 10,
    about: "the report says that its layout is version 6, which a verifier could only guess at",
    caught_by: "unknown version 6",
    run: |stage| {
        let version = if stage.play.is_tampered() { Some((0, vec![6, 0, 0, 0])) } else { None };
        attest_with_changed_report(stage, version)
    },
};

pub(super) const OTHER_GENERATION: Attack = Attack {
    name: "other generation",
    row: 10,
    about: "the report names another processor line, so that its TCB would be read in that one's layout",
    caught_by: "processor generation",
    run: |stage| {
        // CPUID_FAM_ID and CPUID_MOD_ID: a Turin passes for a Milan, the others for a Turin.
        let other = if stage.world.product == Product::Turin { vec![0x19, 0x01] } else { vec![0x1a, 0x02] };
        let cpuid = if stage.play.is_tampered() { Some((0x188, other)) } else { None };
        attest_with_changed_report(stage, cpuid)
    },
};

/// Boots a good machine and shows its report with other bytes at an offset, if some are given.
fn attest_with_changed_report(stage: Stage<'_>, change: Option<(usize, Vec<u8>)>) -> Result<Answer> {
    let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
    let tpm = OtherReport(vm, move |offset, data: &mut [u8]| {
        let Some((place, bytes)) = &change else { return };
        let shown = place.checked_sub(offset).and_then(|start| data.get_mut(start..start + bytes.len()));
        shown.into_iter().for_each(|shown| shown.copy_from_slice(bytes));
    });
    stage.world.attest(stage.verifier, stage.machine, tpm, &stage.world.boot)
}

pub(super) const REPLAYED_REPORT: Attack = Attack {
    name: "replayed report",
    row: 3,
    about: "the guest shows the report of the boot before",
    caught_by: "report data",
    run: |stage| {
        let mut first = Client::new(stage.world.launch()?, SystemRng);
        first.startup(evtpm_tpm_wire::TpmSu::Clear)?;
        let old = first.nv_read(Handle(INDEX), &[])?;
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        let tampered = stage.play.is_tampered();
        let tpm = OtherReport(vm, move |offset, data: &mut [u8]| {
            if tampered {
                data.iter_mut().zip(old.iter().skip(offset)).for_each(|(to, from)| *to = *from);
            }
        });
        stage.world.attest(stage.verifier, stage.machine, tpm, &stage.world.boot)
    },
};

pub(super) const LOWER_PRIVILEGE: Attack = Attack {
    name: "report of VMPL 2",
    row: 5,
    about: "the guest asks the chip itself, with its own message key, for a report over its own TPM",
    caught_by: "VMPL",
    run: |stage| {
        if !stage.play.is_tampered() {
            let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
            return stage.world.attest(stage.verifier, stage.machine, vm, &stage.world.boot);
        }
        let (secrets, mut processor) =
            launch::launch_with_secrets(stage.world.host()?, &Image::new(&stage.world.executable))?;
        let [_, _, vmpck2, _] = secrets.vmpck;
        let mut channel = GuestChannel::new(vmpck2, 2, 0);

        let (fake, _) = stage.world.play(SoftwareTpm::new()?, &stage.world.boot)?;
        let mut client = Client::new(fake, SystemRng);
        let ek = client.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public())?;
        client.flush(ek.handle)?;
        let report_data = report_data(&ek.public)?;
        let request = ReportRequest::new(report_data, 2, KeySelect::Auto);
        let answer = channel.request(&mut processor, MessageType::ReportRequest, request.as_bytes(), None)?;
        let report = ReportResponse::parse(answer)?.map_err(|status| anyhow::anyhow!("{status}"))?;
        let fake = with_report(client.into_transport(), report.as_bytes())?;
        stage.world.attest(stage.verifier, stage.machine, fake, &stage.world.boot)
    },
};

pub(super) const OVERWRITTEN_REPORT: Attack = Attack {
    name: "overwritten report",
    row: 14,
    about: "the guest holds platform authorisation and writes over the report (the paper's prototype lets it)",
    caught_by: "TPM_RC_NV_LOCKED",
    run: |stage| {
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        let mut client = Client::new(vm, SystemRng);
        if stage.play.is_tampered() {
            return match client.nv_write(Handle(INDEX), Handle::PLATFORM, &[], &[0; 64]) {
                Ok(()) => anyhow::bail!("the report was overwritten"),
                Err(error) => Ok(Answer::NoEvidence(error.to_string())),
            };
        }
        stage.world.attest(stage.verifier, stage.machine, client.into_transport(), &stage.world.boot)
    },
};

/// A TPM of which the guest shows another report: whoever sits between TPM and verifier can change what NV_Read returns.
struct OtherReport<F>(Vm, F);

/// `TPM2_NV_Read` in bytes 6..10 of a command.
const NV_READ: [u8; 4] = [0, 0, 1, 0x4e];

impl<F: FnMut(usize, &mut [u8])> Transport for OtherReport<F> {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        self.0.transmit(command, response)?;
        // header 10, parameterSize 4, TPM2B size 2, data; behind it the answer of a password session.
        if command.get(6..10) == Some(&NV_READ)
            && let Some((head, data)) = response.split_at_mut_checked(16)
            && let Some(offset) = command.last_chunk::<2>().map(|offset| u16::from_be_bytes(*offset))
        {
            let length = head.last_chunk::<2>().map_or(0, |size| usize::from(u16::from_be_bytes(*size)));
            (self.1)(usize::from(offset), data.get_mut(..length).unwrap_or_default());
        }
        Ok(())
    }
}

/// Puts a report where an e-vTPM has it.
fn with_report(tpm: SoftwareTpm, report: &[u8]) -> Result<SoftwareTpm> {
    let mut client = Client::new(tpm, SystemRng);
    let index = TpmiRhNvLegacyIndex::new(Handle(INDEX), &evtpm_tpm_wire::Supported::ALL).context("no NV index")?;
    let public = TpmsNvPublic {
        nv_index: index,
        name_alg: HashAlg::Sha256,
        attributes: TpmaNv::OWNERWRITE.with(TpmaNv::AUTHREAD).with(TpmaNv::OWNERREAD).with(TpmaNv::NO_DA),
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: u16::try_from(report.len())?,
    };
    client.nv_define(&public, &[], &[])?;
    client.nv_write(Handle(INDEX), Handle::OWNER, &[], report)?;
    Ok(client.into_transport())
}

/// REPORT_DATA as in the paper: SHA-512 of the TPM2B_PUBLIC.
fn report_data(public: &impl Marshal) -> Result<[u8; 64]> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    writer.sized(public).map_err(|_| anyhow::anyhow!("a public area of more than 510 bytes"))?;
    let digest = RustCrypto::hash(Hash::Sha512, &[writer.into_written()]);
    digest.as_bytes().try_into().context("SHA-512 has 64 bytes")
}
