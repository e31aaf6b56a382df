// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation reports, versions 2 to 5 (SNP ABI, "ATTESTATION_REPORT").

use core::fmt;

use crate::error::Error;
use crate::launch::LaunchDigest;
use crate::policy::{GuestPolicy, KeyInfo, PlatformInfo};
use crate::signature::EcdsaSignature;
use crate::tcb::{Generation, Tcb, TcbVersion};
use evtpm_layout::{U32, U64};

/// The version of a report's layout; it says nothing about the processor's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportVersion {
    /// Without CPUID fields.
    V2,
    /// With CPUID fields.
    V3,
    /// As version 3; seen on Milan with firmware 1.55.31.
    V4,
    /// With mitigation vectors.
    V5,
}

impl ReportVersion {
    /// Returns the number in the report.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
        }
    }

    fn from_number(number: u32) -> Result<Self, Error> {
        match number {
            2 => Ok(Self::V2),
            3 => Ok(Self::V3),
            4 => Ok(Self::V4),
            5 => Ok(Self::V5),
            actual => Err(Error::Version { what: "attestation report", actual }),
        }
    }
}

/// The processor generation as a report states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatedGeneration {
    /// A generation that this crate knows.
    Known(Generation),
    /// Version 2 reports have no CPUID fields: the certificate chain has to say.
    NotStated,
    /// A family and model that this crate does not know: the TCB fields have no known meaning.
    Unknown {
        /// The combined CPUID family.
        family: u8,
        /// The combined CPUID model.
        model: u8,
    },
}

/// A firmware version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirmwareVersion {
    /// The ABI's major version.
    pub major: u8,
    /// The ABI's minor version.
    pub minor: u8,
    /// The build.
    pub build: u8,
}

impl fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

evtpm_layout::layout! {
    /// The part of a report that its signature covers.
    #[derive(Copy)]
    pub struct ReportBody, 0x2a0 {
        /// VERSION.
        0x000 version: U32,
        /// GUEST_SVN.
        0x004 guest_svn: U32,
        /// POLICY.
        0x008 policy: U64,
        /// FAMILY_ID.
        0x010 family_id: [u8; 16],
        /// IMAGE_ID.
        0x020 image_id: [u8; 16],
        /// VMPL.
        0x030 vmpl: U32,
        /// SIGNATURE_ALGO.
        0x034 signature_algo: U32,
        /// CURRENT_TCB.
        0x038 current_tcb: U64,
        /// PLATFORM_INFO.
        0x040 platform_info: U64,
        /// AUTHOR_KEY_EN, MASK_CHIP_KEY, SIGNING_KEY.
        0x048 key_info: U32,
        /// Reserved.
        0x04c reserved_04c: [u8; 4],
        /// REPORT_DATA.
        0x050 report_data: [u8; 64],
        /// MEASUREMENT.
        0x090 measurement: [u8; 48],
        /// HOST_DATA.
        0x0c0 host_data: [u8; 32],
        /// ID_KEY_DIGEST.
        0x0e0 id_key_digest: [u8; 48],
        /// AUTHOR_KEY_DIGEST.
        0x110 author_key_digest: [u8; 48],
        /// REPORT_ID.
        0x140 report_id: [u8; 32],
        /// REPORT_ID_MA.
        0x160 report_id_ma: [u8; 32],
        /// REPORTED_TCB.
        0x180 reported_tcb: U64,
        /// CPUID_FAM_ID, from version 3.
        0x188 cpuid_family: u8,
        /// CPUID_MOD_ID, from version 3.
        0x189 cpuid_model: u8,
        /// CPUID_STEP, from version 3.
        0x18a cpuid_stepping: u8,
        /// Reserved.
        0x18b reserved_18b: [u8; 21],
        /// CHIP_ID.
        0x1a0 chip_id: [u8; 64],
        /// COMMITTED_TCB.
        0x1e0 committed_tcb: U64,
        /// CURRENT_BUILD.
        0x1e8 current_build: u8,
        /// CURRENT_MINOR.
        0x1e9 current_minor: u8,
        /// CURRENT_MAJOR.
        0x1ea current_major: u8,
        /// Reserved.
        0x1eb reserved_1eb: u8,
        /// COMMITTED_BUILD.
        0x1ec committed_build: u8,
        /// COMMITTED_MINOR.
        0x1ed committed_minor: u8,
        /// COMMITTED_MAJOR.
        0x1ee committed_major: u8,
        /// Reserved.
        0x1ef reserved_1ef: u8,
        /// LAUNCH_TCB.
        0x1f0 launch_tcb: U64,
        /// LAUNCH_MIT_VECTOR, from version 5.
        0x1f8 launch_mit_vector: U64,
        /// CURRENT_MIT_VECTOR, from version 5.
        0x200 current_mit_vector: U64,
        /// Reserved.
        0x208 reserved_208: [u8; 152],
    }
}

impl fmt::Debug for ReportBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportBody").field("version", &self.version.get()).finish_non_exhaustive()
    }
}

evtpm_layout::layout! {
    /// A report's 4A0h bytes, unchecked.
    #[derive(Copy, Debug)]
    pub struct RawReport, 0x4a0 {
        /// The signed part.
        0x000 body: ReportBody,
        /// SIGNATURE over the signed part.
        0x2a0 signature: EcdsaSignature,
    }
}

/// A report of a known version, exactly as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    raw: RawReport,
    version: ReportVersion,
}

impl Report {
    /// The size of a report.
    pub const SIZE: usize = RawReport::SIZE;
    /// The size of the part of a report that is signed.
    pub const SIGNED_SIZE: usize = ReportBody::SIZE;

    /// Takes exactly 4A0h bytes of a report whose version is known.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let raw = *RawReport::view(bytes)?;
        let version = ReportVersion::from_number(raw.body.version.get())?;
        Ok(Self { raw, version })
    }

    /// Returns the report as received.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::SIZE] {
        self.raw.as_bytes()
    }

    /// Returns the bytes that the signature covers, as received.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8; Self::SIGNED_SIZE] {
        self.raw.body.as_bytes()
    }

    /// Returns the fields of the signed part, raw.
    #[must_use]
    pub fn body(&self) -> &ReportBody {
        &self.raw.body
    }

    /// Returns the signature, unchecked.
    #[must_use]
    pub fn signature(&self) -> &EcdsaSignature {
        &self.raw.signature
    }

    /// Returns the version of the layout.
    #[must_use]
    pub fn version(&self) -> ReportVersion {
        self.version
    }

    /// Returns the guest's security version, from its ID block.
    #[must_use]
    pub fn guest_svn(&self) -> u32 {
        self.raw.body.guest_svn.get()
    }

    /// Returns the guest policy.
    #[must_use]
    pub fn policy(&self) -> GuestPolicy {
        GuestPolicy(self.raw.body.policy.get())
    }

    /// Returns the family id from the ID block.
    #[must_use]
    pub fn family_id(&self) -> [u8; 16] {
        self.raw.body.family_id
    }

    /// Returns the image id from the ID block.
    #[must_use]
    pub fn image_id(&self) -> [u8; 16] {
        self.raw.body.image_id
    }

    /// Returns the privilege level that the report was made for (FFFF_FFFFh if the host asked).
    #[must_use]
    pub fn vmpl(&self) -> u32 {
        self.raw.body.vmpl.get()
    }

    /// Returns the number of the signature algorithm.
    #[must_use]
    pub fn signature_algorithm(&self) -> u32 {
        self.raw.body.signature_algo.get()
    }

    /// Returns the platform information.
    #[must_use]
    pub fn platform_info(&self) -> PlatformInfo {
        PlatformInfo(self.raw.body.platform_info.get())
    }

    /// Returns the key information.
    #[must_use]
    pub fn key_info(&self) -> KeyInfo {
        KeyInfo(self.raw.body.key_info.get())
    }

    /// Returns the 64 bytes that the guest had put into the report.
    #[must_use]
    pub fn report_data(&self) -> &[u8; 64] {
        &self.raw.body.report_data
    }

    /// Returns the launch digest.
    #[must_use]
    pub fn measurement(&self) -> LaunchDigest {
        LaunchDigest(self.raw.body.measurement)
    }

    /// Returns the 32 bytes that the host gave at launch.
    #[must_use]
    pub fn host_data(&self) -> &[u8; 32] {
        &self.raw.body.host_data
    }

    /// Returns the digest of the key that signed the ID block, or zeros.
    #[must_use]
    pub fn id_key_digest(&self) -> &[u8; 48] {
        &self.raw.body.id_key_digest
    }

    /// Returns the digest of the key that certified the ID key, or zeros.
    #[must_use]
    pub fn author_key_digest(&self) -> &[u8; 48] {
        &self.raw.body.author_key_digest
    }

    /// Returns the guest's report id.
    #[must_use]
    pub fn report_id(&self) -> &[u8; 32] {
        &self.raw.body.report_id
    }

    /// Returns the report id of the guest's migration agent (all ones if there is none).
    #[must_use]
    pub fn report_id_ma(&self) -> &[u8; 32] {
        &self.raw.body.report_id_ma
    }

    /// Returns the TCB that runs now.
    #[must_use]
    pub fn current_tcb(&self) -> TcbVersion {
        self.raw.body.current_tcb.into()
    }

    /// Returns the TCB from which the signing key was derived.
    #[must_use]
    pub fn reported_tcb(&self) -> TcbVersion {
        self.raw.body.reported_tcb.into()
    }

    /// Returns the TCB below which the platform cannot go any more.
    #[must_use]
    pub fn committed_tcb(&self) -> TcbVersion {
        self.raw.body.committed_tcb.into()
    }

    /// Returns the TCB at the guest's launch.
    #[must_use]
    pub fn launch_tcb(&self) -> TcbVersion {
        self.raw.body.launch_tcb.into()
    }

    /// Returns CPUID family, model and stepping, from version 3 on.
    #[must_use]
    pub fn cpuid(&self) -> Option<(u8, u8, u8)> {
        let body = &self.raw.body;
        (self.version >= ReportVersion::V3).then_some((body.cpuid_family, body.cpuid_model, body.cpuid_stepping))
    }

    /// Returns the generation that the report itself states.
    #[must_use]
    pub fn generation(&self) -> StatedGeneration {
        let Some((family, model, _)) = self.cpuid() else {
            return StatedGeneration::NotStated;
        };
        match Generation::from_cpuid(family, model) {
            Some(generation) => StatedGeneration::Known(generation),
            None => StatedGeneration::Unknown { family, model },
        }
    }

    /// Returns the reported TCB's components, laid out as in `generation`.
    #[must_use]
    pub fn reported_tcb_of(&self, generation: Generation) -> Tcb {
        self.reported_tcb().decode(generation)
    }

    /// Returns the chip id.
    #[must_use]
    pub fn chip_id(&self) -> &[u8; 64] {
        &self.raw.body.chip_id
    }

    /// Says whether the host masked the chip id, in which case it is all zero.
    #[must_use]
    pub fn chip_id_is_masked(&self) -> bool {
        self.raw.body.chip_id == [0; 64]
    }

    /// Returns the version of the firmware that runs now.
    #[must_use]
    pub fn current_firmware(&self) -> FirmwareVersion {
        let body = &self.raw.body;
        FirmwareVersion { major: body.current_major, minor: body.current_minor, build: body.current_build }
    }

    /// Returns the version of the firmware that was committed.
    #[must_use]
    pub fn committed_firmware(&self) -> FirmwareVersion {
        let body = &self.raw.body;
        FirmwareVersion { major: body.committed_major, minor: body.committed_minor, build: body.committed_build }
    }

    /// Returns the mitigations at launch, from version 5 on.
    #[must_use]
    pub fn launch_mit_vector(&self) -> Option<u64> {
        (self.version >= ReportVersion::V5).then(|| self.raw.body.launch_mit_vector.get())
    }

    /// Returns the mitigations now, from version 5 on.
    #[must_use]
    pub fn current_mit_vector(&self) -> Option<u64> {
        (self.version >= ReportVersion::V5).then(|| self.raw.body.current_mit_vector.get())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("version", &self.version)
            .field("vmpl", &self.vmpl())
            .field("policy", &self.policy())
            .field("key_info", &self.key_info())
            .field("measurement", &self.measurement())
            .field("reported_tcb", &self.reported_tcb())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "report/tests.rs"]
mod tests;
