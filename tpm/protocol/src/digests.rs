// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Digests over commands, responses and PCRs (Part 1, "Command Parameter Hash (cpHash)", "Response Parameter Hash
//! (rpHash)", "Attesting to PCR").
use evtpm_crypto::{Crypto, Digest, StreamingHash};
use evtpm_tpm_wire::{Cc, HashAlg, Marshal, PcrIndex, Rc, TpmlPcrSelection};

use crate::{ProtocolError, crypto_hash};

/// Hashes the wire form of a structure, which must not be larger than `SIZE`.
pub fn hash_of<C: Crypto, const SIZE: usize>(hash: HashAlg, value: &impl Marshal) -> Result<Digest, ProtocolError> {
    let mut buffer = [0; SIZE];
    Ok(C::hash(crypto_hash(hash)?, &[value.to_bytes(&mut buffer)?]))
}

/// Computes `cpHash`: "H_sessionAlg (commandCode {|| Name1 {|| Name2 {|| Name3 }}} {|| parameters })".
pub fn cp_hash<C: Crypto>(
    hash: HashAlg,
    code: Cc,
    names: &[&[u8]],
    parameters: &[u8],
) -> Result<Digest, ProtocolError> {
    let mut hasher = C::Hasher::new(crypto_hash(hash)?);
    hasher.update(&code.0.to_be_bytes());
    names.iter().for_each(|name| hasher.update(name));
    hasher.update(parameters);
    Ok(hasher.finish())
}

/// Computes `rpHash`: "H_sessionAlg (responseCode || commandCode {|| parameters })".
pub fn rp_hash<C: Crypto>(hash: HashAlg, response: Rc, code: Cc, parameters: &[u8]) -> Result<Digest, ProtocolError> {
    let parts: [&[u8]; 3] = [&response.raw().to_be_bytes(), &code.0.to_be_bytes(), parameters];
    Ok(C::hash(crypto_hash(hash)?, &parts))
}

/// Computes `nameHash` of `TPM2_PolicyNameHash`: the digest of the Names of the command's handles.
pub fn name_hash<C: Crypto>(hash: HashAlg, names: &[&[u8]]) -> Result<Digest, ProtocolError> {
    Ok(C::hash(crypto_hash(hash)?, names))
}

/// Computes the digest of the selected PCRs: "the digest of the concatenation of the PCR in the order of the list, and
/// in each bank with the lowest PCR first". A PCR for which `value` is `None` is not allocated and adds nothing.
pub fn pcr_digest<'p, C: Crypto>(
    hash: HashAlg,
    selection: &TpmlPcrSelection,
    value: impl Fn(HashAlg, PcrIndex) -> Option<&'p [u8]>,
) -> Result<Digest, ProtocolError> {
    let mut hasher = C::Hasher::new(crypto_hash(hash)?);
    for bank in selection {
        bank.select.iter().filter_map(|pcr| value(bank.hash, pcr)).for_each(|value| hasher.update(value));
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{HashAlg as Hash, RustCrypto};
    use evtpm_tpm_wire::{PcrSelect, TpmsPcrSelection};

    use super::*;

    #[test]
    fn pcrs_are_hashed_bank_by_bank_in_ascending_order() {
        let banks = [
            TpmsPcrSelection { hash: HashAlg::Sha1, select: PcrSelect::of(&[PcrIndex::Pcr10, PcrIndex::Pcr0]) },
            TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(&[PcrIndex::Pcr7]) },
        ];
        let value = |hash: HashAlg, pcr: PcrIndex| -> Option<&'static [u8]> {
            Some(match (hash, pcr) {
                (HashAlg::Sha1, PcrIndex::Pcr0) => b"a",
                (HashAlg::Sha1, PcrIndex::Pcr10) => b"b",
                (HashAlg::Sha256, PcrIndex::Pcr7) => b"c",
                _ => return None,
            })
        };
        let selection = TpmlPcrSelection::from_slice(&banks).unwrap();
        let digest = pcr_digest::<RustCrypto>(HashAlg::Sha256, &selection, value).unwrap();
        assert_eq!(digest, RustCrypto::hash(Hash::Sha256, &[b"abc"]));
    }

    #[test]
    fn a_command_hash_is_over_code_names_and_parameters() {
        let digest = cp_hash::<RustCrypto>(HashAlg::Sha256, Cc::PCR_EXTEND, &[b"n1", b"n2"], b"p").unwrap();
        assert_eq!(digest, RustCrypto::hash(Hash::Sha256, &[&[0, 0, 1, 0x82], b"n1n2p"]));
        let digest = rp_hash::<RustCrypto>(HashAlg::Sha256, Rc::SUCCESS, Cc::PCR_EXTEND, b"p").unwrap();
        assert_eq!(digest, RustCrypto::hash(Hash::Sha256, &[&[0, 0, 0, 0, 0, 0, 1, 0x82], b"p"]));
    }
}
