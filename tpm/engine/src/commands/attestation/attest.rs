// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the attestation commands share: the signer, the header of the attestation and its signature (Part 3,
//! "Attestation Commands").

use crate::algorithm;
use crate::name::{self, Name};
use crate::object::schemes::Scheme;
use crate::profile::RESPONSE_OVERHEAD;
use crate::state::Hierarchy;
use crate::ticket::PROOF_HASH;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, kdfa};
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, Overflow, Rc, Subject, Tpm2bAttest, Tpm2bData, TpmiDhObject, TpmsAttest, TpmsClockInfo,
    TpmtSigScheme, TpmtSignature, TpmuAttest,
};

/// Who signs, and how.
pub(super) enum Signer {
    /// A key with the scheme that it signs with.
    Key(Handle, Scheme),
    /// `TPM_RH_NULL`: "the attestation block is 'signed' with the NULL Signature"; the scheme is what the caller named.
    Nobody(Option<TpmtSigScheme>),
}

impl Signer {
    /// Finds the key of the handle with this number and chooses the scheme with the parameter of that number.
    pub(super) fn find<P: Platform>(
        tpm: &Tpm<P>,
        (handle, handle_number): (Option<TpmiDhObject>, u8),
        (requested, parameter_number): (Option<TpmtSigScheme>, u8),
    ) -> Result<Self, Rc> {
        let Some(handle) = handle else { return Ok(Self::Nobody(requested)) };
        let handle = handle.handle();
        let key = tpm.signing_key(handle, handle_number)?;
        let scheme = Scheme::select(&key.public, requested);
        let scheme = scheme.map_err(|rc| rc.at(Subject::Parameter(parameter_number)))?;
        Ok(Self::Key(handle, scheme))
    }

    /// Returns the hash of the digests in the attestation.
    pub(super) fn hash<P: Platform>(&self, tpm: &Tpm<P>) -> Option<HashAlg> {
        match self {
            Self::Key(key, scheme) => scheme.hash_for_attestation(&tpm.object(*key)?.public),
            Self::Nobody(scheme) => scheme.map(|scheme| scheme.hash_alg()),
        }
    }

    /// Tells whether the signature shall not tell whose it is.
    pub(super) const fn is_anonymous(&self) -> bool {
        matches!(self, Self::Key(_, Scheme::Named(TpmtSigScheme::Ecdaa(_))))
    }

    /// "The QN for TPM_RH_NULL is TPM_RH_NULL." That of an anonymous signer is the Empty Buffer.
    fn qualified_name<P: Platform>(&self, tpm: &Tpm<P>) -> Name {
        match self {
            Self::Key(..) if self.is_anonymous() => Name::EMPTY,
            Self::Key(key, _) => tpm.object(*key).map_or(Name::EMPTY, |key| key.qualified_name),
            Self::Nobody(_) => name::of_handle(Handle::NULL),
        }
    }
}

impl<P: Platform> Tpm<P> {
    /// Completes an attestation and signs it.
    pub(super) fn attest(
        &mut self,
        signer: &Signer,
        qualifying_data: &Tpm2bData,
        attested: TpmuAttest<'_>,
    ) -> Result<(Tpm2bAttest, Option<TpmtSignature>), Rc> {
        let bytes = self.describe(signer, qualifying_data, attested)?;
        let Signer::Key(key, scheme) = signer else { return Ok((bytes, None)) };
        // A signature of ML-DSA can be too much for the transport, together with contents of NV that alone would fit.
        let needed = RESPONSE_OVERHEAD.saturating_add(bytes.len()).saturating_add(scheme.signature_size());
        if needed > self.profile.limits.response_size {
            return Err(Rc::SIZE);
        }
        let signature = match scheme {
            Scheme::Named(scheme) if signer.is_anonymous() => {
                // "P := HschemeHash(qualifyingData || HschemeHash(TPMS_ATTEST))"
                let alg = algorithm::hash(scheme.hash_alg()).ok_or(Rc::SCHEME)?;
                let digest = P::Crypto::hash(alg, &[bytes.as_bytes()]);
                let digest = P::Crypto::hash(alg, &[qualifying_data.as_bytes(), digest.as_bytes()]);
                self.sign(*key, *scheme, digest.as_bytes())?
            }
            scheme => self.sign_message(*key, *scheme, bytes.as_bytes())?,
        };
        Ok((bytes, Some(signature)))
    }

    /// Writes an attestation.
    #[inline(never)] // The structure is off the stack when its bytes are signed.
    fn describe(
        &self,
        signer: &Signer,
        qualifying_data: &Tpm2bData,
        attested: TpmuAttest<'_>,
    ) -> Result<Tpm2bAttest, Rc> {
        let mut clock_info = self.time_info().clock_info;
        let mut firmware_version = self.firmware_version();
        self.obfuscate(signer, &mut clock_info, &mut firmware_version)?;
        let qualified_signer = signer.qualified_name(self);
        // "For an attestation command using the ECDAA scheme, both the qualifiedSigner and extraData fields in the
        // attestation block (a TPMS_ATTEST) are set to be the Empty Buffer before the data is hashed."
        let extra_data = if signer.is_anonymous() { Tpm2bData::EMPTY } else { *qualifying_data };
        let attest = TpmsAttest { qualified_signer, extra_data, clock_info, firmware_version, attested };
        let mut bytes = Tpm2bAttest::zeros(Tpm2bAttest::CAPACITY).map_err(|Overflow| Rc::MEMORY)?;
        let size = attest.to_bytes(bytes.as_mut_bytes()).map_err(|Overflow| Rc::FAILURE)?.len();
        bytes.truncate(size);
        Ok(bytes)
    }

    /// Tells the firmware version as one number.
    pub(super) fn firmware_version(&self) -> u64 {
        let [high, low] = self.profile.identity.firmware_version;
        u64::from(high) << 32 | u64::from(low)
    }

    /// "To provide improved privacy, the resetCount, restartCount, and firmwareVersion numbers are obfuscated when the
    /// signing key is not in the Endorsement or Platform hierarchies."
    fn obfuscate(&self, signer: &Signer, clock: &mut TpmsClockInfo, firmware_version: &mut u64) -> Result<(), Rc> {
        let key = match signer {
            Signer::Key(key, _) => self.object(*key),
            Signer::Nobody(_) => None,
        };
        if key.is_some_and(|key| matches!(key.hierarchy, Hierarchy::Endorsement | Hierarchy::Platform)) {
            return Ok(());
        }
        // "When computing the obfuscation value for TPM_RH_NULL, the hash used for context integrity is used."
        let alg = key.and_then(|key| key.public.name_alg).and_then(algorithm::hash).unwrap_or(PROOF_HASH);
        let proof = self.state.hierarchies.of(Hierarchy::Owner).proof.as_bytes();
        let mut obfuscation = [0; 16];
        kdfa::<P::Crypto>(alg, proof, b"OBFUSCATE", signer.qualified_name(self).as_bytes(), &[], 128, &mut obfuscation)
            .map_err(|_| Rc::FAILURE)?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = obfuscation;
        *firmware_version = firmware_version.wrapping_add(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        clock.reset_count = clock.reset_count.wrapping_add(u32::from_be_bytes([i, j, k, l]));
        clock.restart_count = clock.restart_count.wrapping_add(u32::from_be_bytes([m, n, o, p]));
        Ok(())
    }
}
