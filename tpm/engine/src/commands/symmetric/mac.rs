// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_MAC`, which is `TPM2_HMAC` for keys of HMAC (Part 3, "TPM2_MAC").
//!
//! "A TPM that supports TPM2_MAC() will support any code that was written to use TPM2_HMAC()": they share a code.

use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_crypto::{CMAC_SIZE, Cmac, Crypto, CryptoError};
use evtpm_tpm_wire::commands::{Mac, MacHandles, MacResponse};
use evtpm_tpm_wire::{
    Handle, HashAlg, MacAlg, Overflow, PublicBody, Rc, SensitiveBody, Subject, SymMode, SymObjectAlg, Tpm2bDigest,
    Tpm2bSensitiveData, Tpm2bSymKey, TpmAlgId, TpmaObject, TpmtKeyedhashScheme, TpmtSymDefObject,
};

impl Execute for Mac<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: MacHandles) -> Result<MacResponse, Rc> {
        let key = tpm.mac_key(handles.handle.handle(), self.in_scheme)?;
        let data = self.buffer.as_bytes();

        let out_mac = match key {
            MacKey::Hmac(alg, secret) => Tpm2bDigest::new(P::Crypto::hmac(alg, secret.as_bytes(), &[data]).as_bytes()),
            MacKey::Cmac(key) => Tpm2bDigest::new(&cmac::<P::Crypto>(key.as_bytes(), data).map_err(|_| Rc::FAILURE)?),
        };
        Ok(MacResponse { out_mac: out_mac.map_err(|Overflow| Rc::FAILURE)? })
    }
}

fn cmac<C: Crypto>(key: &[u8], data: &[u8]) -> Result<[u8; CMAC_SIZE], CryptoError> {
    let mut mac = Cmac::new(key)?;
    mac.update::<C>(data)?;
    mac.finish::<C>()
}

/// A key and what it makes MACs with.
pub(in crate::commands) enum MacKey<'a> {
    /// A secret and the hash.
    Hmac(evtpm_crypto::HashAlg, &'a Tpm2bSensitiveData),
    /// An AES key.
    Cmac(&'a Tpm2bSymKey),
}

impl<P: Platform> Tpm<P> {
    /// Finds a MAC key, the first handle, and the algorithm, the second parameter of both MAC commands.
    pub(in crate::commands) fn mac_key(&self, handle: Handle, requested: Option<MacAlg>) -> Result<MacKey<'_>, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = self.object(handle).ok_or(at_key(Rc::TYPE))?;
        // "If the key type is neither TPM_ALG_KEYEDHASH nor TPM_ALG_SYMCIPHER then the TPM shall return TPM_RC_TYPE."
        let secret = key.sensitive.as_ref().map(|sensitive| &sensitive.body);
        let selected = match (&key.public.body, secret) {
            (PublicBody::KeyedHash { scheme, .. }, Some(SensitiveBody::KeyedHash(secret))) => {
                select_hash(scheme.as_ref(), requested).map(|alg| MacKey::Hmac(alg, secret))
            }
            (PublicBody::SymCipher { parms, .. }, Some(SensitiveBody::SymCipher(secret))) => {
                select_cmac(parms, requested).map(|()| MacKey::Cmac(secret))
            }
            _ => return Err(at_key(Rc::TYPE)),
        };
        let selected = selected.map_err(|rc| rc.at(Subject::Parameter(2)))?;
        // "If the key referenced by handle has the restricted attribute SET, the TPM shall return TPM_RC_ATTRIBUTES."
        if key.has(TpmaObject::RESTRICTED) {
            return Err(at_key(Rc::ATTRIBUTES));
        }
        if !key.has(TpmaObject::SIGN) {
            return Err(at_key(Rc::KEY));
        }
        Ok(selected)
    }
}

fn select_hash(own: Option<&TpmtKeyedhashScheme>, requested: Option<MacAlg>) -> Result<evtpm_crypto::HashAlg, Rc> {
    let own = own.map(|scheme| match scheme {
        TpmtKeyedhashScheme::Hmac(hash) => hash.id(),
        TpmtKeyedhashScheme::Xor(xor) => xor.hash_alg.id(),
    });
    let hash = HashAlg::from_id(select(own, requested)?).ok_or(Rc::SCHEME)?;
    algorithm::hash(hash).ok_or(Rc::SCHEME)
}

fn select_cmac(own: &TpmtSymDefObject, requested: Option<MacAlg>) -> Result<(), Rc> {
    let is_cmac = select(own.mode.map(SymMode::id), requested)? == TpmAlgId::CMAC;
    // "For a TPM_ALG_SYMCIPHER key, the symmetric block cipher algorithm is part of the key definition."
    if is_cmac && own.algorithm == SymObjectAlg::Aes { Ok(()) } else { Err(Rc::SCHEME) }
}

/// "If the default scheme or mode of the key referenced by handle is not TPM_ALG_NULL, then the inScheme parameter is
/// required to be either the same as the key's default or TPM_ALG_NULL (TPM_RC_VALUE)", and else not TPM_ALG_NULL.
fn select(own: Option<TpmAlgId>, requested: Option<MacAlg>) -> Result<TpmAlgId, Rc> {
    match (own, requested.map(MacAlg::id)) {
        (Some(own), None) => Ok(own),
        (Some(own), Some(requested)) if own == requested => Ok(own),
        (None, Some(requested)) => Ok(requested),
        _ => Err(Rc::VALUE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::objects::{OWN, keyed_hash, object, public, sealed};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::{Hmac, HmacHandles};
    use evtpm_tpm_wire::{Tpm2bMaxBuffer, TpmtPublic};

    fn hmac(tpm: &mut TestTpm, key: Handle, hash_alg: Option<HashAlg>) -> Result<Tpm2bDigest, Rc> {
        let buffer = Tpm2bMaxBuffer::new(b"what do ya want for nothing?").unwrap();
        tpm.send(&Hmac { buffer, hash_alg }, HmacHandles { handle: object(key) }).map(|response| response.out_hmac)
    }

    #[test]
    fn the_key_of_rfc_4231_gives_the_mac_of_rfc_4231() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let attributes = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN) | TpmaObject::SIGN;
        let key = tpm.child(parent, keyed_hash(attributes, None), b"Jefe");
        let mac = hmac(&mut tpm, key, Some(HashAlg::Sha256)).unwrap();
        assert_eq!(mac.as_bytes()[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }

    #[test]
    fn the_hash_is_the_keys_or_else_the_callers() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let refused = Err(Rc::VALUE.at(Subject::Parameter(2)));
        let free = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, None), &[]);
        assert_eq!(hmac(&mut tpm, free, None), refused);
        assert_eq!(hmac(&mut tpm, free, Some(HashAlg::Sha384)).unwrap().len(), 48);
        let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
        let bound = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, scheme), &[]);
        assert_eq!(hmac(&mut tpm, bound, Some(HashAlg::Sha384)), refused);
        assert_eq!(hmac(&mut tpm, bound, None), hmac(&mut tpm, bound, Some(HashAlg::Sha256)));
    }

    #[test]
    fn each_unfit_key_has_its_own_code() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let data = tpm.child(parent, sealed(), b"data");
        let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
        let attributes = OWN | TpmaObject::SIGN | TpmaObject::RESTRICTED;
        let restricted = tpm.child(parent, keyed_hash(attributes, scheme), &[]);
        for (key, expected) in [(parent, Rc::TYPE), (data, Rc::KEY), (restricted, Rc::ATTRIBUTES)] {
            assert_eq!(hmac(&mut tpm, key, Some(HashAlg::Sha256)), Err(expected.at(Subject::Handle(1))));
        }
    }

    fn mac(tpm: &mut TestTpm, key: Handle, in_scheme: Option<MacAlg>) -> Result<Tpm2bDigest, Rc> {
        let buffer = Tpm2bMaxBuffer::new(&[0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d]).unwrap();
        tpm.send(&Mac { buffer, in_scheme }, MacHandles { handle: object(key) }).map(|response| response.out_mac)
    }

    fn cipher(attributes: TpmaObject, mode: Option<SymMode>) -> TpmtPublic {
        let parms = TpmtSymDefObject { mode, ..TpmtSymDefObject::AES_128_CFB };
        public(attributes, PublicBody::SymCipher { parms, unique: Tpm2bDigest::EMPTY })
    }

    const CIPHER_KEY: [u8; 16] =
        [0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c];

    #[test]
    fn a_cipher_key_makes_a_cmac() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let attributes = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN) | TpmaObject::SIGN;
        let bound = tpm.child(parent, cipher(attributes, Some(SymMode::Cmac)), &CIPHER_KEY);
        let free = tpm.child(parent, cipher(attributes, None), &CIPHER_KEY);
        // `openssl mac -cipher AES-128-CBC -macopt hexkey:2b7e... CMAC`, over the same ten bytes
        let known = [0xc1, 0x39, 0x0a, 0x10, 0xad, 0x5a, 0xa6, 0x6d, 0x13, 0xdd, 0x5d, 0x85, 0xf5, 0xee, 0x04, 0xae];
        for (key, scheme) in [(bound, None), (bound, Some(MacAlg::Cmac)), (free, Some(MacAlg::Cmac))] {
            assert_eq!(mac(&mut tpm, key, scheme).unwrap().as_bytes(), known);
        }
    }

    #[test]
    fn a_scheme_that_the_key_lacks_is_a_value_error_and_one_that_is_no_mac_a_scheme_error() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let key = |tpm: &mut TestTpm, mode| tpm.child(parent, cipher(OWN | TpmaObject::SIGN, mode), &[]);
        let (cmac, cfb, free) =
            (key(&mut tpm, Some(SymMode::Cmac)), key(&mut tpm, Some(SymMode::Cfb)), key(&mut tpm, None));
        let secret = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, None), &[]);
        let cases = [
            (cmac, Some(MacAlg::Sha256), Rc::VALUE),
            (free, None, Rc::VALUE),
            (free, Some(MacAlg::Sha256), Rc::SCHEME),
            (cfb, Some(MacAlg::Cmac), Rc::VALUE),
            (cfb, None, Rc::SCHEME),
            (secret, Some(MacAlg::Cmac), Rc::SCHEME),
        ];
        for (key, scheme, expected) in cases {
            assert_eq!(mac(&mut tpm, key, scheme), Err(expected.at(Subject::Parameter(2))), "{scheme:?}");
        }
        let decrypts = tpm.child(parent, cipher(OWN | TpmaObject::DECRYPT, None), &[]);
        assert_eq!(mac(&mut tpm, decrypts, Some(MacAlg::Cmac)), Err(Rc::KEY.at(Subject::Handle(1))));
    }
}
