// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Import and certify: an attestation key earns belief as its TPM certifies it with a key that the verifier made for the EK (TCG "EK-Based
//! Key Attestation with TPM Firmware Version"; go-tpm-tools, `gotpm register`).
//!
//! What [`Credential`](crate::tpm::Credential) proves by a secret that comes back, this proves by an HMAC: only the TPM with the EK can import
//! the HMAC key, and it uses it for attestations alone. Here the attester may make its key after it was asked.

use core::fmt;

use evtpm_crypto::{Rng, RustCrypto};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::certifying_key::{self, CertifyingKey, HmacKey, KEY_SIZE};
use evtpm_tpm_wire::{MAX_PUBLIC, Marshal, Rc, Supported, TpmtSignature, TpmuAttest, from_bytes};

use crate::UnixTime;
use crate::tpm::objects::check_name;
use crate::tpm::{AkPublic, CertifyEvidence, EkPublic, Endorsement, Error, TrustedAk, attest};

/// What the attester gives to `TPM2_Import`, with its endorsement key as the parent; nothing stands behind a size of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyToImport {
    /// `objectPublic`: a `TPMT_PUBLIC`.
    pub public: Vec<u8>,
    /// `duplicate`.
    pub duplicate: Vec<u8>,
    /// `inSymSeed`.
    pub secret: Vec<u8>,
}

impl KeyToImport {
    /// Makes a key that the TPM with the endorsement key alone can import, and the secret that it certifies with.
    pub fn make(ek: &EkPublic, rng: &mut dyn Rng) -> Result<(Self, HmacKey), Error> {
        let mut key = HmacKey::zeros(KEY_SIZE).map_err(|_| Error::Credential(ProtocolError::TooLong))?;
        rng.fill(key.as_mut_bytes()).map_err(Error::Entropy)?;
        let object = CertifyingKey::new::<RustCrypto>(&key, rng).map_err(Error::Credential)?;
        let wrapped = object.duplicate_for::<RustCrypto>(ek.public(), rng).map_err(Error::Credential)?;
        let mut buffer = [0; MAX_PUBLIC];
        let public = object.public().to_bytes(&mut buffer).map_err(|_| Error::Credential(ProtocolError::TooLong))?;
        let to_import = KeyToImport {
            public: public.to_vec(),
            duplicate: wrapped.duplicate.as_bytes().to_vec(),
            secret: wrapped.secret.as_bytes().to_vec(),
        };
        Ok((to_import, key))
    }
}

/// A key that was given out to certify with: the verifier's half, good for one attestation key.
pub struct Certifier {
    ek: Endorsement,
    key: HmacKey,
    expires: Option<UnixTime>,
}

impl Certifier {
    /// Makes a key for the TPM with `ek`, whose certificates are worth nothing from the time `expires` on.
    pub fn make(
        ek: impl Into<Endorsement>,
        rng: &mut dyn Rng,
        expires: UnixTime,
    ) -> Result<(KeyToImport, Self), Error> {
        let ek = ek.into();
        let (to_import, key) = KeyToImport::make(ek.ek(), rng)?;
        Ok((to_import, Certifier { ek, key, expires: Some(expires) }))
    }

    /// Takes the secret of a key that was made for the TPM with `ek` before, from whoever kept it, and kept it to themselves: it is as good
    /// as their word.
    pub fn kept(ek: impl Into<Endorsement>, key: HmacKey) -> Self {
        Certifier { ek: ek.into(), key, expires: None }
    }

    /// Takes the certificate (`TPM2_Certify`) of an attestation key by the imported key, and believes the key if it is the right one.
    ///
    /// The imported key is used up either way.
    pub fn prove(self, evidence: CertifyEvidence<'_>, at: UnixTime) -> Result<TrustedAk, Error> {
        let CertifyEvidence { message, signature, public } = evidence;
        if let Some(expired) = self.expires.filter(|expires| at >= *expires) {
            return Err(Error::NonceExpired { expired, at });
        }
        let attest = attest::signed(message, attest::ATTEST_CERTIFY, || self.check(message, signature))?;
        let TpmuAttest::Certify(info) = &attest.attested else {
            return Err(Error::Malformed { what: "TPMS_CERTIFY_INFO", code: Rc::SELECTOR });
        };
        // The key is the nonce: it is used once, and the certificate was asked for without qualifying data.
        if !attest.extra_data.is_empty() {
            return Err(Error::Nonce);
        }
        let ak = AkPublic::from_tpm2b(public)?;
        check_name(info.name.as_bytes(), ak.name())?;
        self.ek.check_names(&ak)?;

        Ok(TrustedAk::activated(ak, self.ek))
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signature: TpmtSignature =
            from_bytes(signature, &Supported::ALL).map_err(|code| Error::Malformed { what: "TPMT_SIGNATURE", code })?;
        certifying_key::verify::<RustCrypto>(&self.key, message, &signature).map_err(Error::Certifier)
    }
}

impl fmt::Debug for Certifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certifier").field("expires", &self.expires).finish_non_exhaustive()
    }
}
