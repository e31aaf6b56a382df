// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a saved context is kept secret and whole (Part 1, "Context Protections").

use crate::state::Hierarchy;
use crate::ticket::PROOF_HASH;
use crate::{Platform, Tpm};
use evtpm_crypto::{BLOCK_SIZE, CipherMode, Crypto, Digest, Direction, constant_time_eq, kdfa};
use evtpm_tpm_wire::{Buf, Bytes, Handle, Large, MAX_CONTEXT, MAX_DIGEST, Overflow, Rc, Reader, Secret, Writer};

/// savedHandle of "a Transient Object that does not have the stateClear property".
pub(super) const OBJECT: Handle = Handle(0x8000_0000);
/// savedHandle of "a sequence Object".
pub(super) const SEQUENCE: Handle = Handle(0x8000_0001);
/// savedHandle of "a Transient Object that has the stateClear property".
pub(super) const CLEAR_OBJECT: Handle = Handle(0x8000_0002);

/// What stands before the encrypted part of a context: the size of the integrity value and that value.
const INTEGRITY_SIZE: usize = 2 + MAX_DIGEST;
/// Where the content begins in what was decrypted: after the number.
pub(super) const CONTENT_AT: usize = 8;
/// Separates context keys from all other derived keys.
const CONTEXT: &[u8] = b"CONTEXT";
/// AES-256 and its IV: "required to have the highest security strength of any symmetric block cipher implemented".
const KEY_SIZE: usize = 32;

/// The keys of one context.
pub(super) struct ContextKeys {
    symmetric: Secret<{ KEY_SIZE + BLOCK_SIZE }>,
    proof: Secret<64>,
    /// "resetValue {|| clearCount } || sequence || handle".
    header: Buf<32>,
}

impl ContextKeys {
    /// "(symKey, symIv) := KDFa(hashAlg, hProof, vendorString, sequence, handle, bits)".
    pub(super) fn derive<P: Platform>(
        tpm: &Tpm<P>,
        hierarchy: Hierarchy,
        sequence: u64,
        handle: Handle,
    ) -> Result<Self, Rc> {
        let overflow = |Overflow| Rc::FAILURE;
        let proof = tpm.state.hierarchies.of(hierarchy).proof.clone();
        let null_proof = &tpm.state.hierarchies.of(Hierarchy::Null).proof;
        let mut header = Buf::EMPTY;
        // nullProof is "a random value that changes on each TPM Reset"; half of it tells one reset from another.
        let reset_value = P::Crypto::hmac(PROOF_HASH, null_proof.as_bytes(), &[CONTEXT]);
        header.extend(reset_value.as_bytes().get(..16).unwrap_or_default()).map_err(overflow)?;
        if handle == CLEAR_OBJECT {
            header.extend(&tpm.state.clear_count.to_be_bytes()).map_err(overflow)?;
        }
        header.extend(&sequence.to_be_bytes()).map_err(overflow)?;
        header.extend(&handle.0.to_be_bytes()).map_err(overflow)?;

        let mut symmetric = Secret::zeros(KEY_SIZE.saturating_add(BLOCK_SIZE)).map_err(overflow)?;
        kdfa::<P::Crypto>(
            PROOF_HASH,
            proof.as_bytes(),
            CONTEXT,
            &sequence.to_be_bytes(),
            &handle.0.to_be_bytes(),
            u32::try_from(symmetric.len().saturating_mul(8)).map_err(|_| Rc::FAILURE)?,
            symmetric.as_mut_bytes(),
        )
        .map_err(|_| Rc::FAILURE)?;
        Ok(Self { symmetric, proof, header })
    }

    /// Encrypts the number and what `write` writes, and puts "HMACvendorAlg(hProof, data)" before them. All of it happens
    /// in the memory of the blob.
    pub(super) fn protect<C: Crypto>(
        &self,
        sequence: u64,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Overflow>,
    ) -> Result<Large<MAX_CONTEXT>, Rc> {
        let overflow = |Overflow| Rc::FAILURE;
        let mut blob = Large::<MAX_CONTEXT>::zeros(MAX_CONTEXT).map_err(|Overflow| Rc::MEMORY)?;
        let mut writer = Writer::new(blob.as_mut_bytes());
        writer.bytes(&[0; INTEGRITY_SIZE]).map_err(overflow)?;
        writer.write(&sequence).map_err(overflow)?;
        write(&mut writer).map_err(overflow)?;
        let size = writer.written();
        blob.truncate(size);

        let (head, plain) = blob.as_mut_bytes().split_at_mut_checked(INTEGRITY_SIZE).ok_or(Rc::FAILURE)?;
        self.crypt::<C>(Direction::Encrypt, plain)?;
        let integrity = self.integrity::<C>(plain);
        let mut writer = Writer::new(head);
        writer.write(&Bytes::<MAX_DIGEST>::new(integrity.as_bytes()).map_err(overflow)?).map_err(overflow)?;
        Ok(blob)
    }

    /// Checks integrity first, decrypts second, and gives the number that was encrypted with the content, and the content
    /// in place of the blob, where it begins at [`CONTENT_AT`].
    pub(super) fn open<C: Crypto>(&self, blob: &[u8]) -> Result<(u64, Large<MAX_CONTEXT>), Rc> {
        let mut reader = Reader::permissive(blob);
        let integrity: Bytes<'_, 64> = reader.read()?;
        if !constant_time_eq(integrity.as_bytes(), self.integrity::<C>(reader.remaining()).as_bytes()) {
            return Err(Rc::INTEGRITY);
        }
        let mut plain = Large::new(reader.remaining()).map_err(|Overflow| Rc::MEMORY)?;
        self.crypt::<C>(Direction::Decrypt, plain.as_mut_bytes())?;
        let sequence = Reader::permissive(plain.as_bytes()).read()?;
        Ok((sequence, plain))
    }

    fn integrity<C: Crypto>(&self, encrypted: &[u8]) -> Digest {
        C::hmac(PROOF_HASH, self.proof.as_bytes(), &[self.header.as_bytes(), encrypted])
    }

    fn crypt<C: Crypto>(&self, direction: Direction, data: &mut [u8]) -> Result<(), Rc> {
        let (key, iv) = self.symmetric.as_bytes().split_at_checked(KEY_SIZE).ok_or(Rc::FAILURE)?;
        let mut iv: [u8; BLOCK_SIZE] = iv.try_into().map_err(|_| Rc::FAILURE)?;
        C::cipher(key, CipherMode::Cfb, direction, &mut iv, data).map_err(|_| Rc::FAILURE)
    }
}
