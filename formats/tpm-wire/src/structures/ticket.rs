// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tickets (Part 2, "Tickets").
use crate::{
    HashAlg, Marshal, Overflow, Rc, Reader, ST_AUTH_SECRET, ST_AUTH_SIGNED, ST_CREATION, ST_DIGEST_VERIFIED,
    ST_HASHCHECK, ST_MESSAGE_VERIFIED, ST_VERIFIED, Tpm2bDigest, TpmiRhHierarchy, Unmarshal, Writer, structure,
};

/// A structure tag that can only have one value; another one is `TPM_RC_TAG`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag<const TAG: u16>;

impl<'a, const TAG: u16> Unmarshal<'a> for Tag<TAG> {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        if reader.read::<u16>()? == TAG { Ok(Self) } else { Err(Rc::TAG) }
    }
}

impl<const TAG: u16> Marshal for Tag<TAG> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&TAG)
    }
}

/// The tag of an authorization ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthTag {
    /// `TPM_ST_AUTH_SECRET`.
    Secret,
    /// `TPM_ST_AUTH_SIGNED`.
    Signed,
}

impl AuthTag {
    /// Returns the number of the tag.
    pub const fn number(self) -> u16 {
        match self {
            Self::Secret => ST_AUTH_SECRET,
            Self::Signed => ST_AUTH_SIGNED,
        }
    }
}

impl<'a> Unmarshal<'a> for AuthTag {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        match reader.read()? {
            ST_AUTH_SECRET => Ok(Self::Secret),
            ST_AUTH_SIGNED => Ok(Self::Signed),
            _ => Err(Rc::TAG),
        }
    }
}

impl Marshal for AuthTag {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.number())
    }
}

structure! {
    /// Proof that the TPM made an object (`TPMT_TK_CREATION`).
    pub struct TpmtTkCreation {
        /// The tag.
        pub tag: Tag<ST_CREATION>,
        /// The hierarchy of the object.
        pub hierarchy: TpmiRhHierarchy,
        /// The HMAC.
        pub digest: Tpm2bDigest,
    }

    /// Proof of an authorization (`TPMT_TK_AUTH`).
    pub struct TpmtTkAuth {
        /// The tag.
        pub tag: AuthTag,
        /// The hierarchy of the object that authorized.
        pub hierarchy: TpmiRhHierarchy,
        /// The HMAC.
        pub digest: Tpm2bDigest,
    }

    /// Proof that the TPM hashed a message that does not pose as its own (`TPMT_TK_HASHCHECK`).
    pub struct TpmtTkHashcheck {
        /// The tag.
        pub tag: Tag<ST_HASHCHECK>,
        /// The hierarchy.
        pub hierarchy: TpmiRhHierarchy,
        /// The HMAC.
        pub digest: Tpm2bDigest,
    }
}

/// The tag of a verification ticket, with its metadata (`TPMU_TK_VERIFIED_META`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifiedTag {
    /// `TPM_ST_VERIFIED`: by `TPM2_VerifySignature`.
    Verified,
    /// `TPM_ST_MESSAGE_VERIFIED`: by `TPM2_VerifySequenceComplete`.
    Message,
    /// `TPM_ST_DIGEST_VERIFIED`: by `TPM2_VerifyDigestSignature`, with "the hash algorithm or XOF used to produce the
    /// digest that was verified".
    Digest(HashAlg),
}

impl VerifiedTag {
    /// Returns the number of the tag.
    pub const fn number(self) -> u16 {
        match self {
            Self::Verified => ST_VERIFIED,
            Self::Message => ST_MESSAGE_VERIFIED,
            Self::Digest(_) => ST_DIGEST_VERIFIED,
        }
    }
}

/// Proof that the TPM verified a signature (`TPMT_TK_VERIFIED`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmtTkVerified {
    /// The tag and its metadata.
    pub tag: VerifiedTag,
    /// The hierarchy of the key.
    pub hierarchy: TpmiRhHierarchy,
    /// The HMAC.
    pub digest: Tpm2bDigest,
}

impl TpmtTkVerified {
    /// The NULL ticket of `TPM2_VerifySignature`.
    pub const NULL: Self = Self::new(TpmiRhHierarchy::Null, Tpm2bDigest::EMPTY);

    /// Makes a ticket of `TPM2_VerifySignature`.
    pub const fn new(hierarchy: TpmiRhHierarchy, digest: Tpm2bDigest) -> Self {
        Self { tag: VerifiedTag::Verified, hierarchy, digest }
    }
}

impl<'a> Unmarshal<'a> for TpmtTkVerified {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let number = reader.read()?;
        if !matches!(number, ST_VERIFIED | ST_MESSAGE_VERIFIED | ST_DIGEST_VERIFIED) {
            return Err(Rc::TAG);
        }
        let hierarchy = reader.read()?;
        let tag = match number {
            ST_MESSAGE_VERIFIED => VerifiedTag::Message,
            ST_DIGEST_VERIFIED => VerifiedTag::Digest(reader.read()?),
            _ => VerifiedTag::Verified,
        };
        Ok(Self { tag, hierarchy, digest: reader.read()? })
    }
}

impl Marshal for TpmtTkVerified {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.tag.number())?;
        writer.write(&self.hierarchy)?;
        if let VerifiedTag::Digest(hash_alg) = &self.tag {
            writer.write(hash_alg)?;
        }
        writer.write(&self.digest)
    }
}

macro_rules! null_tickets {
    ($($name:ident)*) => { $(
        impl $name {
            /// The NULL ticket of this kind.
            pub const NULL: Self = Self::new(TpmiRhHierarchy::Null, Tpm2bDigest::EMPTY);

            /// Makes a ticket.
            pub const fn new(hierarchy: TpmiRhHierarchy, digest: Tpm2bDigest) -> Self {
                Self { tag: Tag, hierarchy, digest }
            }
        }
    )* };
}

null_tickets! { TpmtTkCreation TpmtTkHashcheck }

impl TpmtTkAuth {
    /// Makes the NULL ticket with this tag.
    pub const fn null(tag: AuthTag) -> Self {
        Self { tag, hierarchy: TpmiRhHierarchy::Null, digest: Tpm2bDigest::EMPTY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_ticket_of_another_kind_is_a_tag_error() {
        let creation = [0x80, 0x21, 0x40, 0, 0, 7, 0, 0];
        assert_eq!(from_bytes(&creation, &Supported::ALL), Ok(TpmtTkCreation::NULL));
        assert_eq!(from_bytes::<TpmtTkHashcheck>(&creation, &Supported::ALL), Err(Rc::TAG));
        assert_eq!(from_bytes::<TpmtTkVerified>(&creation, &Supported::ALL), Err(Rc::TAG));
        assert_eq!(from_bytes::<TpmtTkAuth>(&creation, &Supported::ALL), Err(Rc::TAG));
    }

    #[test]
    fn the_metadata_of_a_verified_digest_stand_before_the_hmac() {
        let bytes = [0x80, 0x27, 0x40, 0, 0, 1, 0, 0x0B, 0, 1, 7];
        let ticket: TpmtTkVerified = from_bytes(&bytes, &Supported::ALL).unwrap();
        assert_eq!(ticket.tag, VerifiedTag::Digest(HashAlg::Sha256));
        assert_eq!(ticket.to_bytes(&mut [0; 16]), Ok(&bytes[..]));
        let message = [0x80, 0x26, 0x40, 0, 0, 1, 0, 1, 7];
        let ticket: TpmtTkVerified = from_bytes(&message, &Supported::ALL).unwrap();
        assert_eq!(ticket.to_bytes(&mut [0; 16]), Ok(&message[..]));
    }

    #[test]
    fn a_hierarchy_that_is_none_is_a_value_error() {
        assert_eq!(from_bytes::<TpmtTkCreation>(&[0x80, 0x21, 0x40, 0, 0, 0xA, 0, 0], &Supported::ALL), Err(Rc::VALUE));
    }
}
