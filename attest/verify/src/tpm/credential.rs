// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Credential activation (Part 1, "Credential Protection"): an attestation key earns belief by living in the EK's TPM.

use core::fmt;

use evtpm_crypto::{Rng, RustCrypto, constant_time_eq};
use evtpm_protocol::{ProtocolError, credential};
use evtpm_tpm_wire::{Marshal, Secret, Tpm2bEncryptedSecret, Tpm2bIdObject, Tpm2bName};

use crate::UnixTime;
use crate::tpm::{AkPublic, Endorsement, Error, TrustedAk};

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
    ek: Endorsement,
    ak: AkPublic,
    secret: Secret<64>,
    expires: UnixTime,
}

impl Credential {
    /// Makes a credential that only the TPM can open that has both the private part of `ek` and the key `ak`, and that
    /// is worth nothing from the time `expires` on.
    pub fn make(
        ek: impl Into<Endorsement>,
        ak: AkPublic,
        rng: &mut dyn Rng,
        expires: UnixTime,
    ) -> Result<(Challenge, Self), Error> {
        let ek = ek.into();
        ek.check_names(&ak)?;
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

impl TrustedAk {
    /// Takes up a belief again that this verifier earned with a [`Credential`] before, from its own record of it.
    ///
    /// The endorsement is verified anew; that the key lives in the endorsement key's TPM is on the record's word.
    pub fn remembered(ek: impl Into<Endorsement>, ak: AkPublic) -> Result<Self, Error> {
        let ek = ek.into();
        ek.check_names(&ak)?;
        Ok(TrustedAk::activated(ak, ek))
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

#[cfg(test)]
mod tests {
    use evtpm_crypto::{Crypto, EccCurve, EccPrivate, HashAlg};
    use evtpm_protocol::secret::PrivateKey;
    use evtpm_protocol::templates::EkTemplate;
    use evtpm_tpm_wire::{PublicBody, Tpm2bEccParameter, TpmsEccPoint, TpmtPublic, from_bytes};

    use super::*;
    use crate::evtpm::{Binding, BoundEk, bind};
    use crate::snp::testing::{NOW, World};
    use crate::tpm::AkOrigin;
    use crate::tpm::soft_tpm::{Draft, SoftAk};
    use crate::tpm::testing::{Counter, StuckRng};

    const LATER: UnixTime = UnixTime(NOW.0 + 60);

    /// The L-2 endorsement key of a TPM in software.
    fn endorsement_key() -> (TpmtPublic, EccPrivate) {
        let private = EccPrivate::new(EccCurve::P256, &[7; 32]).unwrap();
        let point = RustCrypto::ecc_public(&private).unwrap();
        let mut public = EkTemplate::L2.public();
        let coordinate = |bytes| Tpm2bEccParameter::new(bytes).unwrap();
        if let PublicBody::Ecc { unique, .. } = &mut public.body {
            *unique = TpmsEccPoint { x: coordinate(point.x()), y: coordinate(point.y()) };
        }
        (public, private)
    }

    fn bound_ek() -> BoundEk {
        let mut buffer = [0; 512];
        let area = endorsement_key().0.to_bytes(&mut buffer).unwrap().to_vec();
        let ek = [&u16::try_from(area.len()).unwrap().to_be_bytes(), area.as_slice()].concat();
        let mut world = World::new();
        world.report[0x50..0x90].copy_from_slice(RustCrypto::hash(HashAlg::Sha512, &[&ek]).as_bytes());
        bind(world.verify().unwrap(), Binding::NvReport { ek: &ek }, NOW).unwrap()
    }

    fn make(ak: &SoftAk) -> (Challenge, Credential) {
        Credential::make(bound_ek(), AkPublic::from_tpmt(&ak.area).unwrap(), &mut Counter::new(), LATER).unwrap()
    }

    /// `TPM2_ActivateCredential` of the TPM with that endorsement key, for a key called `name`.
    fn activate(challenge: &Challenge, name: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let (public, private) = endorsement_key();
        let blob: Tpm2bIdObject = from_bytes(&challenge.credential, &evtpm_tpm_wire::Supported::ALL).unwrap();
        let name = Tpm2bName::new(name).unwrap();
        let key = PrivateKey::<RustCrypto>::Ecc(&private);
        credential::activate(&public, key, &name, &blob, &challenge.secret[2..], &mut Counter::new())
            .map(|secret| secret.as_bytes().to_vec())
    }

    #[test]
    fn a_key_whose_tpm_opens_the_credential_is_believed_and_quotes() {
        let ak = SoftAk::new();
        let (challenge, credential) = make(&ak);
        let name = AkPublic::from_tpmt(&ak.area).unwrap().name().to_vec();
        let trusted = credential.prove(&activate(&challenge, &name).unwrap(), NOW).unwrap();
        assert_eq!(trusted.name(), name);
        let AkOrigin::Activated(ek) = trusted.origin() else { panic!("named") };
        assert_eq!(ek.public_area(), bound_ek().public_area());

        let (draft, asked) = Draft::fresh();
        assert!(ak.quote_with(&trusted, &draft, &asked).is_ok());
    }

    #[test]
    fn a_key_that_is_not_in_the_endorsement_keys_tpm_cannot_open_it() {
        let (challenge, _) = make(&SoftAk::new());
        let other = SoftAk::with(EccCurve::P384, HashAlg::Sha384, 0x0005_0072);
        let name = AkPublic::from_tpmt(&other.area).unwrap().name().to_vec();
        assert_eq!(activate(&challenge, &name), Err(ProtocolError::Integrity));
    }

    #[test]
    fn another_secret_or_part_of_it_proves_nothing() {
        let ak = SoftAk::new();
        let name = AkPublic::from_tpmt(&ak.area).unwrap().name().to_vec();
        let changed = |change: fn(&mut Vec<u8>)| {
            let (challenge, credential) = make(&ak);
            let mut secret = activate(&challenge, &name).unwrap();
            change(&mut secret);
            credential.prove(&secret, NOW).map(drop)
        };
        assert_eq!(changed(|secret| secret[31] ^= 1), Err(Error::CredentialProof));
        assert_eq!(changed(|secret| secret.truncate(31)), Err(Error::CredentialProof));
        assert_eq!(changed(Vec::clear), Err(Error::CredentialProof));
        assert_eq!(changed(|_| ()), Ok(()));
    }

    #[test]
    fn an_expired_credential_proves_nothing() {
        let ak = SoftAk::new();
        let (challenge, credential) = make(&ak);
        let secret = activate(&challenge, AkPublic::from_tpmt(&ak.area).unwrap().name()).unwrap();
        assert_eq!(credential.prove(&secret, LATER).map(drop), Err(Error::NonceExpired { expired: LATER, at: LATER }));
    }

    #[test]
    fn two_credentials_have_two_secrets_and_none_is_made_without_entropy() {
        let ak = || AkPublic::from_tpmt(&SoftAk::new().area).unwrap();
        let mut rng = Counter::new();
        let (_, first) = Credential::make(bound_ek(), ak(), &mut rng, LATER).unwrap();
        let (_, second) = Credential::make(bound_ek(), ak(), &mut rng, LATER).unwrap();
        assert_ne!(first.secret.as_bytes(), second.secret.as_bytes());
        assert!(matches!(Credential::make(bound_ek(), ak(), &mut StuckRng, LATER), Err(Error::Entropy(_))));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let (_, credential) = make(&SoftAk::new());
        let shown = format!("{credential:?}");
        assert!(shown.contains("expires") && !shown.contains("secret"), "{shown}");
    }
}
