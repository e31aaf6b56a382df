// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How each policy command extends the policy digest (Part 3, "Enhanced Authorization (EA) Commands").
use evtpm_crypto::{Crypto, Digest, StreamingHash};
use evtpm_tpm_wire::{Cc, HashAlg, Marshal, Tpm2bDigest, Tpm2bName, TpmEo, TpmaLocality, TpmlPcrSelection, YesNo};

use crate::{ProtocolError, crypto_hash};

/// A policy digest and the hash that it is made with; the methods are the policy commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyDigest {
    alg: evtpm_crypto::HashAlg,
    digest: Digest,
}

impl PolicyDigest {
    /// Starts with zeros, as a new policy session does.
    pub fn new(hash: HashAlg) -> Result<Self, ProtocolError> {
        let alg = crypto_hash(hash)?;
        Ok(Self { alg, digest: Digest::zero(alg) })
    }

    /// Goes on from a digest that a session holds.
    pub fn resume(hash: HashAlg, digest: &[u8]) -> Result<Self, ProtocolError> {
        let alg = crypto_hash(hash)?;
        let digest = Digest::from_slice(digest).filter(|digest| digest.len() == alg.digest_size());
        Ok(Self { alg, digest: digest.ok_or(ProtocolError::TooLong)? })
    }

    /// Returns the digest.
    pub fn as_bytes(&self) -> &[u8] {
        self.digest.as_bytes()
    }

    /// Returns the digest as the wire carries it.
    pub fn to_wire(&self) -> Tpm2bDigest {
        // Cannot fail: no digest is longer than the wire's.
        Tpm2bDigest::new(self.as_bytes()).unwrap_or_default()
    }

    /// Extends: "policyDigest_new := H_policyAlg (policyDigest_old || commandCode || arguments)".
    #[must_use]
    pub fn extend<C: Crypto>(self, code: Cc, arguments: &[&[u8]]) -> Self {
        let mut hasher = C::Hasher::new(self.alg);
        hasher.update(self.as_bytes());
        hasher.update(&code.0.to_be_bytes());
        arguments.iter().for_each(|argument| hasher.update(argument));
        Self { digest: hasher.finish(), ..self }
    }

    /// `PolicyUpdate()`: extends with code and Name, then hashes the reference in.
    #[must_use]
    pub fn update<C: Crypto>(self, code: Cc, name: &[u8], policy_ref: &[u8]) -> Self {
        let extended = self.extend::<C>(code, &[name]);
        Self { digest: C::hash(self.alg, &[extended.as_bytes(), policy_ref]), ..self }
    }

    fn cleared(self) -> Self {
        Self { digest: Digest::zero(self.alg), ..self }
    }

    /// `TPM2_PolicySecret` with the Name of the entity whose secret it is.
    #[must_use]
    pub fn secret<C: Crypto>(self, auth_name: &[u8], policy_ref: &[u8]) -> Self {
        self.update::<C>(Cc::POLICY_SECRET, auth_name, policy_ref)
    }

    /// `TPM2_PolicySigned` with the Name of the signing key.
    #[must_use]
    pub fn signed<C: Crypto>(self, auth_name: &[u8], policy_ref: &[u8]) -> Self {
        self.update::<C>(Cc::POLICY_SIGNED, auth_name, policy_ref)
    }

    /// `TPM2_PolicyOR`: starts anew from zeros, with all alternatives.
    #[must_use]
    pub fn or<C: Crypto>(self, alternatives: &[&[u8]]) -> Self {
        self.cleared().extend::<C>(Cc::POLICY_OR, alternatives)
    }

    /// `TPM2_PolicyPCR` with the digest of the selected PCRs.
    pub fn pcr<C: Crypto>(self, selection: &TpmlPcrSelection, pcr_digest: &[u8]) -> Result<Self, ProtocolError> {
        let mut buffer = [0; 64];
        Ok(self.extend::<C>(Cc::POLICY_PCR, &[selection.to_bytes(&mut buffer)?, pcr_digest]))
    }

    /// `TPM2_PolicyLocality`.
    #[must_use]
    pub fn locality<C: Crypto>(self, locality: TpmaLocality) -> Self {
        self.extend::<C>(Cc::POLICY_LOCALITY, &[&[locality.0]])
    }

    /// `TPM2_PolicyNV` with the Name of the index.
    #[must_use]
    pub fn nv<C: Crypto>(self, operand_b: &[u8], offset: u16, operation: TpmEo, nv_name: &[u8]) -> Self {
        let arguments = self.comparison::<C>(operand_b, offset, operation);
        self.extend::<C>(Cc::POLICY_NV, &[arguments.as_bytes(), nv_name])
    }

    /// `TPM2_PolicyCounterTimer`.
    #[must_use]
    pub fn counter_timer<C: Crypto>(self, operand_b: &[u8], offset: u16, operation: TpmEo) -> Self {
        let arguments = self.comparison::<C>(operand_b, offset, operation);
        self.extend::<C>(Cc::POLICY_COUNTER_TIMER, &[arguments.as_bytes()])
    }

    /// "args := H_policyAlg (operandB.buffer || offset || operation)"
    fn comparison<C: Crypto>(self, operand_b: &[u8], offset: u16, operation: TpmEo) -> Digest {
        let parts: [&[u8]; 3] = [operand_b, &offset.to_be_bytes(), &operation.number().to_be_bytes()];
        C::hash(self.alg, &parts)
    }

    /// `TPM2_PolicyCommandCode`.
    #[must_use]
    pub fn command_code<C: Crypto>(self, code: Cc) -> Self {
        self.extend::<C>(Cc::POLICY_COMMAND_CODE, &[&code.0.to_be_bytes()])
    }

    /// `TPM2_PolicyPhysicalPresence`.
    #[must_use]
    pub fn physical_presence<C: Crypto>(self) -> Self {
        self.extend::<C>(Cc::POLICY_PHYSICAL_PRESENCE, &[])
    }

    /// `TPM2_PolicyCpHash`.
    #[must_use]
    pub fn cp_hash<C: Crypto>(self, cp_hash: &[u8]) -> Self {
        self.extend::<C>(Cc::POLICY_CP_HASH, &[cp_hash])
    }

    /// `TPM2_PolicyNameHash`.
    #[must_use]
    pub fn name_hash<C: Crypto>(self, name_hash: &[u8]) -> Self {
        self.extend::<C>(Cc::POLICY_NAME_HASH, &[name_hash])
    }

    /// `TPM2_PolicyDuplicationSelect`; the object's Name counts only if `object` is given.
    #[must_use]
    pub fn duplication_select<C: Crypto>(self, object: Option<&[u8]>, new_parent: &[u8]) -> Self {
        let include = YesNo::from(object.is_some()).number();
        self.extend::<C>(Cc::POLICY_DUPLICATION_SELECT, &[object.unwrap_or_default(), new_parent, &[include]])
    }

    /// `TPM2_PolicyAuthorize`: starts anew from zeros, with the Name of the authority's key.
    #[must_use]
    pub fn authorize<C: Crypto>(self, key_sign: &[u8], policy_ref: &[u8]) -> Self {
        self.cleared().update::<C>(Cc::POLICY_AUTHORIZE, key_sign, policy_ref)
    }

    /// `TPM2_PolicyAuthorizeNV`: starts anew from zeros, with the Name of the index.
    #[must_use]
    pub fn authorize_nv<C: Crypto>(self, nv_name: &[u8]) -> Self {
        self.cleared().extend::<C>(Cc::POLICY_AUTHORIZE_NV, &[nv_name])
    }

    /// `TPM2_PolicyAuthValue` and `TPM2_PolicyPassword`, which both extend with the code of the former.
    #[must_use]
    pub fn auth_value<C: Crypto>(self) -> Self {
        self.extend::<C>(Cc::POLICY_AUTH_VALUE, &[])
    }

    /// `TPM2_PolicyNvWritten`.
    #[must_use]
    pub fn nv_written<C: Crypto>(self, written: YesNo) -> Self {
        self.extend::<C>(Cc::POLICY_NV_WRITTEN, &[&[written.number()]])
    }

    /// `TPM2_PolicyTemplate`.
    #[must_use]
    pub fn template<C: Crypto>(self, template_hash: &[u8]) -> Self {
        self.extend::<C>(Cc::POLICY_TEMPLATE, &[template_hash])
    }

    /// `TPM2_PolicyParameters`.
    #[must_use]
    pub fn parameters<C: Crypto>(self, p_hash: &[u8]) -> Self {
        self.extend::<C>(Cc::POLICY_PARAMETERS, &[p_hash])
    }

    /// `TPM2_PolicyTransportSPDM` with the Names of the requester's and of the TPM's key, each empty if any key will do.
    #[must_use]
    pub fn transport_spdm<C: Crypto>(self, req_key_name: &Tpm2bName, tpm_key_name: &Tpm2bName) -> Self {
        if req_key_name.is_empty() && tpm_key_name.is_empty() {
            return self.extend::<C>(Cc::POLICY_TRANSPORT_SPDM, &[]);
        }
        // "scKeyNameHash≔H_policyAlg (reqKeyName.size ∥ reqKeyName.name ∥ tpmKeyName.size ∥ tpmKeyName.name)"
        let mut hasher = C::Hasher::new(self.alg);
        for name in [req_key_name, tpm_key_name] {
            hasher.update(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
            hasher.update(name.as_bytes());
        }
        self.extend::<C>(Cc::POLICY_TRANSPORT_SPDM, &[hasher.finish().as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{HashAlg as Hash, RustCrypto};
    use hex_literal::hex;

    use super::*;

    fn start() -> PolicyDigest {
        PolicyDigest::new(HashAlg::Sha256).unwrap()
    }

    #[test]
    fn policy_of_the_authorization_value_is_the_well_known_one() {
        // Each TPM tool prints this digest for PolicyAuthValue with SHA-256.
        let expected = hex!("8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e");
        assert_eq!(start().auth_value::<RustCrypto>().as_bytes(), expected);
    }

    #[test]
    fn an_or_forgets_what_came_before() {
        let alternatives: [&[u8]; 2] = [&[1; 32], &[2; 32]];
        let fresh = start().or::<RustCrypto>(&alternatives);
        assert_eq!(start().auth_value::<RustCrypto>().or::<RustCrypto>(&alternatives), fresh);
        let expected = RustCrypto::hash(Hash::Sha256, &[&[0; 32], &[0, 0, 1, 0x71], &[1; 32], &[2; 32]]);
        assert_eq!(fresh.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn an_empty_reference_is_still_hashed_in() {
        let once = start().extend::<RustCrypto>(Cc::POLICY_SECRET, &[b"name"]);
        let expected = RustCrypto::hash(Hash::Sha256, &[once.as_bytes()]);
        assert_eq!(start().secret::<RustCrypto>(b"name", b"").as_bytes(), expected.as_bytes());
    }

    #[test]
    fn a_comparison_enters_as_a_digest() {
        let arguments = RustCrypto::hash(Hash::Sha256, &[b"op", &[0, 3, 0, 9]]);
        let expected = start().extend::<RustCrypto>(Cc::POLICY_NV, &[arguments.as_bytes(), b"index"]);
        assert_eq!(start().nv::<RustCrypto>(b"op", 3, TpmEo::UnsignedLe, b"index"), expected);
    }

    #[test]
    fn the_keys_of_a_channel_enter_as_one_digest_with_their_sizes() {
        let (name, any) = (Tpm2bName::new(b"name").unwrap(), Tpm2bName::EMPTY);
        let both = RustCrypto::hash(Hash::Sha256, &[&[0, 4], b"name", &[0, 0]]);
        let expected = start().extend::<RustCrypto>(Cc::POLICY_TRANSPORT_SPDM, &[both.as_bytes()]);
        assert_eq!(start().transport_spdm::<RustCrypto>(&name, &any), expected);
        assert_ne!(start().transport_spdm::<RustCrypto>(&any, &name), expected);
        let unbound = start().extend::<RustCrypto>(Cc::POLICY_TRANSPORT_SPDM, &[]);
        assert_eq!(start().transport_spdm::<RustCrypto>(&any, &any), unbound);
    }

    #[test]
    fn resuming_needs_a_digest_of_the_right_size() {
        let digest = start().auth_value::<RustCrypto>();
        assert_eq!(PolicyDigest::resume(HashAlg::Sha256, digest.as_bytes()), Ok(digest));
        assert_eq!(PolicyDigest::resume(HashAlg::Sha384, digest.as_bytes()), Err(ProtocolError::TooLong));
    }
}
