// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Credential protection (Part 1, "Credential Protection"; Part 3, "TPM2_MakeCredential", "TPM2_ActivateCredential").
use evtpm_crypto::{Crypto, Rng};
use evtpm_tpm_wire::{
    PublicBody, Reader, Secret, Tpm2bDigest, Tpm2bEncryptedSecret, Tpm2bIdObject, Tpm2bName, TpmtPublic, Writer,
};
use zeroize::Zeroizing;

use crate::secret::{Label, PrivateKey, Seed, recover, share};
use crate::wrap::Wrapper;
use crate::{ProtocolError, crypto_hash};

/// A credential, which is as secret as the key that it becomes.
pub type Credential = Secret<64>;

/// Protects `credential` for the object called `object_name`, so that only a TPM that holds both the object and the
/// private part of `key` can open it.
pub fn make<C: Crypto>(
    key: &TpmtPublic,
    credential: &Credential,
    object_name: &Tpm2bName,
    rng: &mut dyn Rng,
) -> Result<(Tpm2bIdObject, Tpm2bEncryptedSecret), ProtocolError> {
    let hash = crypto_hash(key.name_alg.ok_or(ProtocolError::NoNameAlg)?)?;
    if credential.len() > hash.digest_size() {
        return Err(ProtocolError::TooLong);
    }
    // The key must be able to protect others before anything is shared with it.
    key.body.symmetric().ok_or(ProtocolError::NotAStorageKey)?;
    let (seed, encrypted_secret) = share::<C>(key, Label::Identity, rng)?;
    let mut buffer = Zeroizing::new([0; 66]);
    let mut writer = Writer::new(&mut *buffer);
    writer.write(credential)?;
    let size = writer.written();
    let data = buffer.get_mut(..size).ok_or(ProtocolError::TooLong)?;
    let integrity = wrapper(key, seed.as_bytes(), object_name)?.seal::<C>(&[], data)?;

    let mut blob = [0; Tpm2bIdObject::CAPACITY];
    let mut writer = Writer::new(&mut blob);
    writer.write(&Tpm2bDigest::new(integrity.as_bytes())?)?;
    writer.bytes(data)?;
    Ok((Tpm2bIdObject::new(writer.into_written())?, encrypted_secret))
}

/// Opens a credential with the private part of `key`.
pub fn activate<C: Crypto>(
    key: &TpmtPublic,
    private: PrivateKey<'_, C>,
    object_name: &Tpm2bName,
    blob: &Tpm2bIdObject,
    encrypted_secret: &[u8],
    rng: &mut dyn Rng,
) -> Result<Credential, ProtocolError> {
    let seed = recover::<C>(key, private, Label::Identity, encrypted_secret, rng)?;
    open::<C>(key, &seed, object_name, blob)
}

/// Opens a credential with the seed that was shared with `key`.
pub fn open<C: Crypto>(
    key: &TpmtPublic,
    seed: &Seed,
    object_name: &Tpm2bName,
    blob: &Tpm2bIdObject,
) -> Result<Credential, ProtocolError> {
    let mut reader = Reader::permissive(blob.as_bytes());
    let integrity: Tpm2bDigest = reader.read().map_err(ProtocolError::Malformed)?;
    let mut data = Zeroizing::new([0; Tpm2bIdObject::CAPACITY]);
    let encrypted = reader.remaining();
    let data = data.get_mut(..encrypted.len()).ok_or(ProtocolError::TooLong)?;
    data.iter_mut().zip(encrypted).for_each(|(to, from)| *to = *from);
    wrapper(key, seed.as_bytes(), object_name)?.open::<C>(integrity.as_bytes(), &[], data)?;

    let mut reader = Reader::permissive(data);
    let credential = reader.read().map_err(ProtocolError::Malformed)?;
    reader.finish().map_err(ProtocolError::Malformed)?;
    Ok(credential)
}

fn wrapper<'a>(key: &TpmtPublic, seed: &'a [u8], name: &'a Tpm2bName) -> Result<Wrapper<'a>, ProtocolError> {
    if !matches!(key.body, PublicBody::Rsa { .. } | PublicBody::Ecc { .. } | PublicBody::Mlkem { .. }) {
        return Err(ProtocolError::KeyType(key.kind()));
    }
    Ok(Wrapper {
        hash: key.name_alg.ok_or(ProtocolError::NoNameAlg)?,
        cipher: key.body.symmetric().ok_or(ProtocolError::NotAStorageKey)?,
        seed,
        name: name.as_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;

    use super::*;
    use crate::testing::{CountingRng, ecc_key, private, rsa_key};

    fn activate_with(name: &Tpm2bName, blob: &Tpm2bIdObject, secret: &[u8]) -> Result<Credential, ProtocolError> {
        let (public, private) = ecc_key();
        activate::<RustCrypto>(&public, PrivateKey::Ecc(&private), name, blob, secret, &mut CountingRng::new(2))
    }

    #[test]
    fn a_credential_opens_for_the_right_key_and_name_alone() {
        let (public, _) = ecc_key();
        let credential = Credential::new(b"a credential of 32 bytes, or so.").unwrap();
        let name = Tpm2bName::new(&[0, 11, 1, 2, 3]).unwrap();
        let (blob, secret) = make::<RustCrypto>(&public, &credential, &name, &mut CountingRng::new(1)).unwrap();
        assert_eq!(activate_with(&name, &blob, secret.as_bytes()), Ok(credential));

        let other = Tpm2bName::new(&[0, 11, 1, 2, 4]).unwrap();
        assert_eq!(activate_with(&other, &blob, secret.as_bytes()), Err(ProtocolError::Integrity));
        let mut changed = blob;
        changed.as_mut_bytes()[50] ^= 1;
        assert_eq!(activate_with(&name, &changed, secret.as_bytes()), Err(ProtocolError::Integrity));
    }

    #[test]
    fn an_rsa_endorsement_key_opens_a_credential() {
        let (public, prime) = rsa_key();
        let credential = Credential::new(&[9; 20]).unwrap();
        let name = Tpm2bName::new(&[0, 11, 1, 2, 3]).unwrap();
        let (blob, secret) = make::<RustCrypto>(&public, &credential, &name, &mut CountingRng::new(1)).unwrap();
        let mut memory = Default::default();
        let key = PrivateKey::Rsa(private(&public, &prime), &mut memory);
        let opened = activate::<RustCrypto>(&public, key, &name, &blob, secret.as_bytes(), &mut CountingRng::new(2));
        assert_eq!(opened, Ok(credential));
    }

    #[test]
    fn a_credential_longer_than_the_digest_is_refused() {
        let (public, _) = ecc_key();
        let credential = Credential::zeros(33).unwrap();
        let result = make::<RustCrypto>(&public, &credential, &Tpm2bName::EMPTY, &mut CountingRng::new(1));
        assert_eq!(result, Err(ProtocolError::TooLong));
    }

    #[test]
    fn a_signing_key_protects_nothing() {
        let (mut public, _) = ecc_key();
        if let PublicBody::Ecc { parms, .. } = &mut public.body {
            parms.symmetric = None;
        }
        let result = make::<RustCrypto>(&public, &Credential::EMPTY, &Tpm2bName::EMPTY, &mut CountingRng::new(1));
        assert_eq!(result, Err(ProtocolError::NotAStorageKey));
    }
}
