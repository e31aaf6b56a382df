// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux does between configfs and the SVSM, for the guests of the demonstration (configfs-tsm-report, sev-guest).

use std::io::{self, ErrorKind};

use evtpm_agent::tsm::{Entries, Tsm};
use evtpm_snp::PAGE_SIZE;
use evtpm_svsm::GuestMemory as _;
use evtpm_svsm_abi::attest::{CALL_SINGLE_SERVICE, ServicesOperation, SingleServiceOperation};
use evtpm_svsm_abi::manifest::VTPM_SERVICE;
use evtpm_svsm_abi::{Call, Protocol, Registers, ResultCode, U16, U32, U64};

use crate::vm::{Memory, Vm};

/// Where the guest puts the parts of its request, in pages of its own.
const OPERATION: u64 = 0;
const NONCE: u64 = 0x1000;
const REPORT: u64 = 0x2000;
const MANIFEST: u64 = 0x3000;
const CERTIFICATES: u64 = 0x4000;
/// `SEV_FW_BLOB_MAX_SIZE`
const CERTIFICATES_SIZE: usize = 0x4000;

/// How often a call is repeated that the SVSM was too busy for; Linux repeats it without end.
const MAX_CALLS: usize = 16;

/// The configfs of a guest's kernel, which knows the vTPM alone among the SVSM's services.
#[derive(Debug)]
pub(crate) struct GuestKernel {
    vm: Vm,
    entry: Option<Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    name: String,
    provider: Vec<u8>,
    guid: Vec<u8>,
    manifest_version: u32,
    inblob: Vec<u8>,
    generation: u64,
    /// The blobs, and the generation that they were made at.
    made: Option<(u64, Blobs)>,
}

#[derive(Debug, Clone)]
struct Blobs {
    report: Vec<u8>,
    manifest: Vec<u8>,
    certificates: Vec<u8>,
}

impl GuestKernel {
    /// Opens an entry in the kernel of a machine's guest, as the agent does.
    pub(crate) fn open(vm: &Vm) -> anyhow::Result<Tsm<Self>> {
        let tsm = Tsm::open(GuestKernel { vm: vm.clone(), entry: None })?;
        tsm.ok_or_else(|| anyhow::anyhow!("the guest's kernel knows no SVSM"))
    }

    fn entry(&mut self, name: &str) -> io::Result<&mut Entry> {
        self.entry.as_mut().filter(|entry| entry.name == name).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// `tsm_report_read`: blobs are made anew when something was written since.
    fn blobs(&mut self, name: &str) -> io::Result<Blobs> {
        let entry = self.entry(name)?;
        if let Some((_, blobs)) = entry.made.as_ref().filter(|(generation, _)| *generation == entry.generation) {
            return Ok(blobs.clone());
        }
        let is_for_vtpm = entry.provider == b"svsm" && entry.guid == VTPM_SERVICE.to_string().as_bytes();
        let nonce: [u8; 64] = entry.inblob.as_slice().try_into().map_err(|_| ErrorKind::InvalidInput)?;
        let (version, generation) = (entry.manifest_version, entry.generation);
        if !is_for_vtpm {
            return Err(ErrorKind::InvalidInput.into());
        }
        // `sev_svsm_report_new`: every refusal of the SVSM is EINVAL.
        let blobs = attest(&self.vm, &nonce, version).map_err(|_| ErrorKind::InvalidInput)?;
        self.entry(name)?.made = Some((generation, blobs.clone()));
        Ok(blobs)
    }
}

impl Entries for GuestKernel {
    fn make(&mut self, entry: &str) -> io::Result<()> {
        self.entry = Some(Entry { name: entry.to_owned(), ..Entry::default() });
        Ok(())
    }

    fn write(&mut self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        let entry = self.entry(entry)?;
        match attribute {
            "service_provider" => entry.provider = value.to_owned(),
            "service_guid" => entry.guid = value.to_owned(),
            "service_manifest_version" => {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                entry.manifest_version = number.ok_or(ErrorKind::InvalidInput)?;
            }
            "inblob" => entry.inblob = value.to_owned(),
            _ => return Err(ErrorKind::NotFound.into()),
        }
        entry.generation += 1;
        Ok(())
    }

    fn read(&mut self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
        match attribute {
            "generation" => Ok(format!("{}\n", self.entry(entry)?.generation).into_bytes()),
            "outblob" => self.blobs(entry).map(|blobs| blobs.report),
            "manifestblob" => self.blobs(entry).map(|blobs| blobs.manifest),
            "auxblob" => self.blobs(entry).map(|blobs| blobs.certificates),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn remove(&mut self, entry: &str) -> io::Result<()> {
        self.entry(entry)?;
        self.entry = None;
        Ok(())
    }
}

/// One call of the attestation protocol, repeated while the SVSM is busy.
fn attest(vm: &Vm, nonce: &[u8; 64], version: u32) -> Result<Blobs, ResultCode> {
    let operation = SingleServiceOperation {
        services: ServicesOperation {
            report_gpa: U64::new(REPORT),
            report_size: U32::new(PAGE_SIZE as u32),
            nonce_gpa: U64::new(NONCE),
            nonce_size: U16::new(64),
            manifest_gpa: U64::new(MANIFEST),
            manifest_size: U32::new(PAGE_SIZE as u32),
            certificate_gpa: U64::new(CERTIFICATES),
            certificate_size: U32::new(CERTIFICATES_SIZE as u32),
            ..ServicesOperation::zeroed()
        },
        service: VTPM_SERVICE,
        manifest_version: U32::new(version),
        ..SingleServiceOperation::zeroed()
    };
    let mut memory = Memory(vec![0; CERTIFICATES as usize + CERTIFICATES_SIZE]);
    memory.write(OPERATION, operation.as_bytes()).map_err(|_| ResultCode::INVALID_ADDRESS)?;
    memory.write(NONCE, nonce).map_err(|_| ResultCode::INVALID_ADDRESS)?;
    let call = Call { protocol: Protocol::ATTEST, number: CALL_SINGLE_SERVICE };
    for _ in 0..MAX_CALLS {
        let mut registers = Registers { rax: call.to_rax(), rcx: OPERATION, ..Registers::default() };
        vm.svsm().call(&mut registers, &mut memory);
        match ResultCode(registers.rax) {
            ResultCode::SUCCESS => {
                let blob = |gpa, length| memory.range(gpa, length).map(|range| memory.0[range].to_vec());
                let blobs =
                    (blob(REPORT, registers.r8), blob(MANIFEST, registers.rcx), blob(CERTIFICATES, registers.rdx));
                let (Ok(report), Ok(manifest), Ok(certificates)) = blobs else {
                    return Err(ResultCode::INVALID_FORMAT);
                };
                return Ok(Blobs { report, manifest, certificates });
            }
            code if code.is_retried() => {}
            code => return Err(code),
        }
    }
    Err(ResultCode::BUSY)
}

#[cfg(test)]
mod tests;
