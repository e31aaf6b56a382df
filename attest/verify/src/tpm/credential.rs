// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Credential activation (Part 1, "Credential Protection"): an attestation key earns belief by living in the EK's TPM.

use core::fmt;

use evtpm_crypto::{Rng, RustCrypto, constant_time_eq};
use evtpm_protocol::{ProtocolError, credential};
use evtpm_tpm_wire::{Marshal, Secret, Tpm2bEncryptedSecret, Tpm2bIdObject, Tpm2bName};

use crate::UnixTime;
use crate::evtpm::BoundEk;
use crate::tpm::{AkPublic, Error, TrustedAk};

/// The size of the secret: 256 bits, as much as the smallest Name hash of the allow-list admits.
const SECRET_SIZE: usize = 32;

/// What the attester gives to `TPM2_ActivateCredential`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// `TPM2B_ID_OBJECT`, with its size.
    pub credential: Vec<u8>,
    /// `TPM2B_ENCRYPTED_SECRET`, with its size.
    pub secret: Vec<u8>,
}

/// A credential that was given out: the verifier's half, good for one proof until it expires.
pub struct Credential {
    ek: BoundEk,
    ak: AkPublic,
    secret: Secret<64>,
    expires: UnixTime,
}

impl Credential {
    /// Makes a credential that only the TPM can open that has both the private part of `ek` and the key `ak`, and that
    /// is worth nothing from the time `expires` on.
    pub fn make(ek: BoundEk, ak: AkPublic, rng: &mut dyn Rng, expires: UnixTime) -> Result<(Challenge, Self), Error> {
        let mut bytes = [0; SECRET_SIZE];
        rng.fill(&mut bytes).map_err(Error::Entropy)?;
        let too_long = |_| Error::Credential(ProtocolError::TooLong);
        let secret = Secret::new(&bytes).map_err(too_long)?;
        let name = Tpm2bName::new(ak.name()).map_err(too_long)?;

        let (blob, encrypted) =
            credential::make::<RustCrypto>(ek.ek().public(), &secret, &name, rng).map_err(Error::Credential)?;
        let challenge = Challenge { credential: marshal(&blob)?, secret: marshal(&encrypted)? };
        Ok((challenge, Credential { ek, ak, secret, expires }))
    }

    /// Takes the secret that the attester read out of the credential, and believes the key if it is the right one.
    ///
    /// The credential is used up either way.
    pub fn prove(self, secret: &[u8], at: UnixTime) -> Result<TrustedAk, Error> {
        if at >= self.expires {
            return Err(Error::NonceExpired { expired: self.expires, at });
        }
        if !constant_time_eq(secret, self.secret.as_bytes()) {
            return Err(Error::CredentialProof);
        }

        Ok(TrustedAk::activated(self.ak, self.ek))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("ak", &self.ak).field("expires", &self.expires).finish_non_exhaustive()
    }
}

fn marshal<T: Marshal>(value: &T) -> Result<Vec<u8>, Error> {
    let mut buffer = [0; 2 + Tpm2bIdObject::CAPACITY + Tpm2bEncryptedSecret::CAPACITY];
    let bytes = value.to_bytes(&mut buffer).map_err(|_| Error::Credential(ProtocolError::TooLong))?;
    Ok(bytes.to_vec())
}
