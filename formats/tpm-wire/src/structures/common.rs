// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sized buffers and small structures that everything else uses (Part 2, "Sized Buffers", "Digest Values").
use crate::{
    Buf, Bytes, HashAlg, List, Marshal, Null, Nullable, Overflow, Rc, Reader, Secret, Supported, Unmarshal, Writer,
    YesNo, structure,
};

/// The size of the greatest digest, of SHA-512.
pub const MAX_DIGEST: usize = 64;
/// The size of a TPMT_HA with the greatest digest.
pub const MAX_HA: usize = MAX_DIGEST + 2;
/// `MAX_DIGEST_BUFFER`: the greatest input to a hash or a cipher in one command.
pub const MAX_DIGEST_BUFFER: usize = 1024;
/// `MAX_NV_BUFFER_SIZE`: the most that one command reads from or writes to NV.
pub const MAX_NV_BUFFER: usize = 2048;

/// A digest, or nothing (`TPM2B_DIGEST`).
pub type Tpm2bDigest = Buf<MAX_DIGEST>;
/// Data of the caller (`TPM2B_DATA`).
pub type Tpm2bData = Buf<MAX_HA>;
/// A nonce (`TPM2B_NONCE`).
pub type Tpm2bNonce = Buf<MAX_DIGEST>;
/// An authorization value (`TPM2B_AUTH`).
pub type Tpm2bAuth = Secret<MAX_DIGEST>;
/// An operand of a comparison (`TPM2B_OPERAND`).
pub type Tpm2bOperand = Buf<MAX_DIGEST>;
/// Data of an event (`TPM2B_EVENT`).
pub type Tpm2bEvent<'a> = Bytes<'a, 1024>;
/// Data for a hash or a cipher, in a command (`TPM2B_MAX_BUFFER`).
pub type Tpm2bMaxBuffer<'a> = Bytes<'a, MAX_DIGEST_BUFFER>;
/// Data for NV, in a command (`TPM2B_MAX_NV_BUFFER`).
pub type Tpm2bMaxNvBuffer<'a> = Bytes<'a, MAX_NV_BUFFER>;
/// A time-out (`TPM2B_TIMEOUT`).
pub type Tpm2bTimeout = Buf<8>;
/// An initialization vector (`TPM2B_IV`).
pub type Tpm2bIv = Buf<16>;
/// The Name of an entity (`TPM2B_NAME`).
pub type Tpm2bName = Buf<MAX_HA>;

/// A list of digests (`TPML_DIGEST`).
pub type TpmlDigest = List<Tpm2bDigest, 8>;
/// A list of tagged digests, one per bank (`TPML_DIGEST_VALUES`).
pub type TpmlDigestValues = List<TpmtHa, { HashAlg::ALL.len() }>;
/// The same in a command, where the digests lie in the received bytes.
pub type TpmlDigestValuesIn<'a> = List<TpmtHaIn<'a>, { HashAlg::ALL.len() }>;
/// A list of algorithms (`TPML_ALG`).
pub type TpmlAlg = List<crate::TpmAlgId, 64>;
/// A list of commands (`TPML_CC`).
pub type TpmlCc = List<crate::Cc, 254>;

/// A hash algorithm and a digest of its size (`TPMT_HA`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TpmtHa {
    hash_alg: HashAlg,
    digest: Tpm2bDigest,
}

impl TpmtHa {
    /// Accepts a digest of the algorithm's size.
    pub fn new(hash_alg: HashAlg, digest: &[u8]) -> Option<Self> {
        if digest.len() != hash_alg.digest_size() {
            return None;
        }
        Tpm2bDigest::new(digest).ok().map(|digest| Self { hash_alg, digest })
    }

    /// Returns the algorithm.
    pub const fn hash_alg(&self) -> HashAlg {
        self.hash_alg
    }

    /// Returns the digest, which has the algorithm's size.
    pub fn digest(&self) -> &[u8] {
        self.digest.as_bytes()
    }
}

impl Default for TpmtHa {
    fn default() -> Self {
        let hash_alg = HashAlg::default();
        Self { hash_alg, digest: Tpm2bDigest::zeros(hash_alg.digest_size()).unwrap_or_default() }
    }
}

impl<'a> Unmarshal<'a> for TpmtHa {
    fn list_limit(supported: &Supported) -> usize {
        supported.hash_count()
    }

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let hash_alg: HashAlg = reader.read()?;
        Self::new(hash_alg, reader.take(hash_alg.digest_size())?).ok_or(Rc::SIZE)
    }
}

impl Marshal for TpmtHa {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.hash_alg)?;
        writer.bytes(self.digest())
    }
}

impl Nullable for TpmtHa {
    const NULL: Null = Null::Algorithm;
}

/// A hash algorithm and a digest of its size in received bytes (`TPMT_HA`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TpmtHaIn<'a> {
    hash_alg: HashAlg,
    digest: &'a [u8],
}

impl<'a> TpmtHaIn<'a> {
    /// Returns the algorithm.
    pub const fn hash_alg(&self) -> HashAlg {
        self.hash_alg
    }

    /// Returns the digest, which has the algorithm's size.
    pub const fn digest(&self) -> &'a [u8] {
        self.digest
    }
}

impl<'a> From<&'a TpmtHa> for TpmtHaIn<'a> {
    fn from(tagged: &'a TpmtHa) -> Self {
        Self { hash_alg: tagged.hash_alg, digest: tagged.digest() }
    }
}

impl<const N: usize> List<TpmtHa, N> {
    /// Lends the digests, as a command takes them.
    pub fn borrowed(&self) -> List<TpmtHaIn<'_>, N> {
        let mut list = List::new();
        // Cannot overflow: both lists have the same capacity.
        let _ = self.iter().try_for_each(|tagged| list.push(tagged.into()));
        list
    }
}

impl<'a> Unmarshal<'a> for TpmtHaIn<'a> {
    fn list_limit(supported: &Supported) -> usize {
        TpmtHa::list_limit(supported)
    }

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let hash_alg: HashAlg = reader.read()?;
        Ok(Self { hash_alg, digest: reader.take(hash_alg.digest_size())? })
    }
}

impl Marshal for TpmtHaIn<'_> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.hash_alg)?;
        writer.bytes(self.digest)
    }
}

structure! {
    /// The clock and its history (`TPMS_CLOCK_INFO`).
    #[derive(Copy)]
    pub struct TpmsClockInfo {
        /// Milliseconds while the TPM had power, over all its life.
        pub clock: u64,
        /// How often the TPM was reset.
        pub reset_count: u32,
        /// How often it was restarted or resumed since the last reset.
        pub restart_count: u32,
        /// Whether no greater clock can have been reported before.
        pub safe: YesNo,
    }

    /// Time since the last power-up, and the clock (`TPMS_TIME_INFO`).
    #[derive(Copy)]
    pub struct TpmsTimeInfo {
        /// Milliseconds since the time circuit got power.
        pub time: u64,
        /// The clock.
        pub clock_info: TpmsClockInfo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlgSet, TpmAlgId, from_bytes};

    #[test]
    fn a_tagged_digest_has_the_size_of_its_algorithm() {
        assert_eq!(TpmtHa::new(HashAlg::Sha1, &[0; 32]), None);
        assert_eq!(from_bytes::<TpmtHa>(&[0, 4, 1, 2], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn more_digest_values_than_hash_algorithms_are_a_size_error() {
        let algorithms = AlgSet::of(&[TpmAlgId::SHA1]);
        let supported = Supported { algorithms, ..Supported::ALL };
        assert_eq!(from_bytes::<TpmlDigestValues>(&[0, 0, 0, 2], &supported), Err(Rc::SIZE));
        assert_eq!(from_bytes::<TpmlDigestValues>(&[0, 0, 0, 1, 0, 11], &supported), Err(Rc::HASH));
    }
}
