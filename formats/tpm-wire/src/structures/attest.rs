// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation and creation data (Part 2, "Attestation Structures", "Creation Data").
use crate::{
    AttestTag, HashAlg, Large, Marshal, Overflow, Rc, Reader, TPM_GENERATED, Tpm2b, Tpm2bData, Tpm2bDigest,
    Tpm2bMaxNvBuffer, Tpm2bName, TpmAlgId, TpmaLocality, TpmlPcrSelection, TpmsClockInfo, TpmsTimeInfo, Unmarshal,
    Writer, YesNo, structure,
};

structure! {
    /// What a certified object is (`TPMS_CERTIFY_INFO`).
    pub struct TpmsCertifyInfo {
        /// The Name.
        pub name: Tpm2bName,
        /// The Qualified Name.
        pub qualified_name: Tpm2bName,
    }

    /// What was quoted (`TPMS_QUOTE_INFO`).
    pub struct TpmsQuoteInfo {
        /// The PCRs.
        pub pcr_select: TpmlPcrSelection,
        /// The digest of their values.
        pub pcr_digest: Tpm2bDigest,
    }

    /// The state of the command audit (`TPMS_COMMAND_AUDIT_INFO`).
    pub struct TpmsCommandAuditInfo {
        /// The counter.
        pub audit_counter: u64,
        /// The hash of the audit.
        pub digest_alg: TpmAlgId,
        /// The audit digest.
        pub audit_digest: Tpm2bDigest,
        /// The digest of the audited command codes.
        pub command_digest: Tpm2bDigest,
    }

    /// The state of a session audit (`TPMS_SESSION_AUDIT_INFO`).
    pub struct TpmsSessionAuditInfo {
        /// Whether no other audited command came in between.
        pub exclusive_session: YesNo,
        /// The audit digest.
        pub session_digest: Tpm2bDigest,
    }

    /// How an object came to be (`TPMS_CREATION_INFO`).
    pub struct TpmsCreationInfo {
        /// The Name of the object.
        pub object_name: Tpm2bName,
        /// The digest of the creation data.
        pub creation_hash: Tpm2bDigest,
    }

    /// The time (`TPMS_TIME_ATTEST_INFO`).
    pub struct TpmsTimeAttestInfo {
        /// The time.
        pub time: TpmsTimeInfo,
        /// The version of the firmware.
        pub firmware_version: u64,
    }

    /// Contents of an NV index (`TPMS_NV_CERTIFY_INFO`).
    pub struct TpmsNvCertifyInfo<'a> {
        /// The Name of the index.
        pub index_name: Tpm2bName,
        /// Where the contents begin.
        pub offset: u16,
        /// The contents.
        pub nv_contents: Tpm2bMaxNvBuffer<'a>,
    }

    /// The digest of the contents of an NV index (`TPMS_NV_DIGEST_CERTIFY_INFO`).
    pub struct TpmsNvDigestCertifyInfo {
        /// The Name of the index.
        pub index_name: Tpm2bName,
        /// The digest.
        pub nv_digest: Tpm2bDigest,
    }

    /// The circumstances of an object's creation (`TPMS_CREATION_DATA`).
    pub struct TpmsCreationData {
        /// The PCRs.
        pub pcr_select: TpmlPcrSelection,
        /// The digest of their values.
        pub pcr_digest: Tpm2bDigest,
        /// The locality of the command.
        pub locality: TpmaLocality,
        /// The nameAlg of the parent; null for a primary object.
        pub parent_name_alg: Option<HashAlg>,
        /// The Name of the parent.
        pub parent_name: Tpm2bName,
        /// The Qualified Name of the parent.
        pub parent_qualified_name: Tpm2bName,
        /// What the caller added.
        pub outside_info: Tpm2bData,
    }
}

/// Creation data behind its size (`TPM2B_CREATION_DATA`).
pub type Tpm2bCreationData = Tpm2b<TpmsCreationData>;

/// What is attested (`TPMU_ATTEST`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TpmuAttest<'a> {
    /// By `TPM2_Certify`.
    Certify(TpmsCertifyInfo),
    /// By `TPM2_CertifyCreation`.
    Creation(TpmsCreationInfo),
    /// By `TPM2_Quote`.
    Quote(TpmsQuoteInfo),
    /// By `TPM2_GetCommandAuditDigest`.
    CommandAudit(TpmsCommandAuditInfo),
    /// By `TPM2_GetSessionAuditDigest`.
    SessionAudit(TpmsSessionAuditInfo),
    /// By `TPM2_GetTime`.
    Time(TpmsTimeAttestInfo),
    /// By `TPM2_NV_Certify`.
    Nv(TpmsNvCertifyInfo<'a>),
    /// By `TPM2_NV_Certify` of size 0.
    NvDigest(TpmsNvDigestCertifyInfo),
}

impl TpmuAttest<'_> {
    /// Returns the tag.
    pub const fn tag(&self) -> AttestTag {
        match self {
            Self::Certify(_) => AttestTag::Certify,
            Self::Creation(_) => AttestTag::Creation,
            Self::Quote(_) => AttestTag::Quote,
            Self::CommandAudit(_) => AttestTag::CommandAudit,
            Self::SessionAudit(_) => AttestTag::SessionAudit,
            Self::Time(_) => AttestTag::Time,
            Self::Nv(_) => AttestTag::Nv,
            Self::NvDigest(_) => AttestTag::NvDigest,
        }
    }
}

/// What a TPM signs when it attests (`TPMS_ATTEST`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmsAttest<'a> {
    /// The Qualified Name of the signing key.
    pub qualified_signer: Tpm2bName,
    /// What the caller supplied, a nonce as a rule.
    pub extra_data: Tpm2bData,
    /// The clock.
    pub clock_info: TpmsClockInfo,
    /// The version of the firmware.
    pub firmware_version: u64,
    /// What is attested.
    pub attested: TpmuAttest<'a>,
}

impl<'a> Unmarshal<'a> for TpmsAttest<'a> {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        if reader.read::<u32>()? != TPM_GENERATED {
            return Err(Rc::VALUE);
        }
        let tag = reader.read()?;
        Ok(Self {
            qualified_signer: reader.read()?,
            extra_data: reader.read()?,
            clock_info: reader.read()?,
            firmware_version: reader.read()?,
            attested: match tag {
                AttestTag::Certify => TpmuAttest::Certify(reader.read()?),
                AttestTag::Creation => TpmuAttest::Creation(reader.read()?),
                AttestTag::Quote => TpmuAttest::Quote(reader.read()?),
                AttestTag::CommandAudit => TpmuAttest::CommandAudit(reader.read()?),
                AttestTag::SessionAudit => TpmuAttest::SessionAudit(reader.read()?),
                AttestTag::Time => TpmuAttest::Time(reader.read()?),
                AttestTag::Nv => TpmuAttest::Nv(reader.read()?),
                AttestTag::NvDigest => TpmuAttest::NvDigest(reader.read()?),
            },
        })
    }
}

impl Marshal for TpmsAttest<'_> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&TPM_GENERATED)?;
        writer.write(&self.attested.tag())?;
        writer.write(&self.qualified_signer)?;
        writer.write(&self.extra_data)?;
        writer.write(&self.clock_info)?;
        writer.write(&self.firmware_version)?;
        match &self.attested {
            TpmuAttest::Certify(info) => writer.write(info),
            TpmuAttest::Creation(info) => writer.write(info),
            TpmuAttest::Quote(info) => writer.write(info),
            TpmuAttest::CommandAudit(info) => writer.write(info),
            TpmuAttest::SessionAudit(info) => writer.write(info),
            TpmuAttest::Time(info) => writer.write(info),
            TpmuAttest::Nv(info) => writer.write(info),
            TpmuAttest::NvDigest(info) => writer.write(info),
        }
    }
}

/// The size of the greatest attestation, of NV contents.
pub const MAX_ATTEST: usize = 2304;
/// A signed attestation, kept as the bytes that the signature covers (`TPM2B_ATTEST`).
pub type Tpm2bAttest = Large<MAX_ATTEST>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_NV_BUFFER, Supported, from_bytes};

    fn attest(attested: TpmuAttest<'_>) -> TpmsAttest<'_> {
        TpmsAttest {
            qualified_signer: Tpm2bName::zeros(66).unwrap(),
            extra_data: Tpm2bData::zeros(66).unwrap(),
            clock_info: TpmsClockInfo { clock: 1, reset_count: 2, restart_count: 3, safe: YesNo::Yes },
            firmware_version: 4,
            attested,
        }
    }

    #[test]
    fn the_greatest_attestation_fits_its_limit() {
        let contents = [7; MAX_NV_BUFFER];
        let attest = attest(TpmuAttest::Nv(TpmsNvCertifyInfo {
            index_name: Tpm2bName::zeros(66).unwrap(),
            offset: 0,
            nv_contents: Tpm2bMaxNvBuffer::new(&contents).unwrap(),
        }));
        let mut buffer = [0; MAX_ATTEST];
        let bytes = attest.to_bytes(&mut buffer).unwrap();
        assert_eq!(from_bytes(bytes, &Supported::ALL), Ok(attest));
    }

    #[test]
    fn what_no_tpm_generated_is_refused() {
        let quote = TpmsQuoteInfo { pcr_select: TpmlPcrSelection::new(), pcr_digest: Tpm2bDigest::EMPTY };
        let mut buffer = [0; 512];
        let size = attest(TpmuAttest::Quote(quote)).to_bytes(&mut buffer).unwrap().len();
        assert!(from_bytes::<TpmsAttest<'_>>(&buffer[..size], &Supported::ALL).is_ok());
        buffer[0] ^= 1;
        assert_eq!(from_bytes::<TpmsAttest<'_>>(&buffer[..size], &Supported::ALL), Err(Rc::VALUE));
    }
}
