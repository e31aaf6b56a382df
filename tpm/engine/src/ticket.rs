// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tickets (Part 2, "Tickets"): what this TPM saw itself, authenticated with the proof of a hierarchy.

use crate::state::{Hierarchy, Object, Safety};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, HashAlg, Hmac, constant_time_eq};
use evtpm_tpm_wire::{
    HashAlg as WireHash, Rc, ST_CREATION, ST_DIGEST_VERIFIED, ST_HASHCHECK, ST_MESSAGE_VERIFIED, ST_VERIFIED,
    Tpm2bDigest, TpmaObject, TpmiRhHierarchy, TpmtTkCreation, TpmtTkHashcheck, TpmtTkVerified, VerifiedTag,
};

/// "TPM_PT_CONTEXT_HASH": the algorithm for tickets and saved contexts, the strongest there is.
pub(crate) const PROOF_HASH: HashAlg = HashAlg::Sha512;

impl<P: Platform> Tpm<P> {
    /// Says that an object with this Name was created here with this creation hash.
    #[inline(never)] // As `creation_data`.
    pub(crate) fn creation_ticket(&self, hierarchy: Hierarchy, name: &[u8], creation_hash: &[u8]) -> TpmtTkCreation {
        let digest = self.proof_mac(hierarchy, &[&ST_CREATION.to_be_bytes(), name, creation_hash]);
        TpmtTkCreation::new(selector(hierarchy), digest)
    }

    /// Says that a signature of a key over a digest was verified here.
    pub(crate) fn verified_ticket(&self, hierarchy: Hierarchy, digest: &[u8], key_name: &[u8]) -> TpmtTkVerified {
        let digest = self.proof_mac(hierarchy, &[&ST_VERIFIED.to_be_bytes(), digest, key_name]);
        TpmtTkVerified::new(selector(hierarchy), digest)
    }

    /// Says that a signature over a digest was verified here by the scheme of the key; with an empty HMAC for a key that is
    /// in no hierarchy or has no Name.
    pub(crate) fn digest_verified_ticket(&self, key: &Object, hash_alg: WireHash, digest: &[u8]) -> TpmtTkVerified {
        let tag = VerifiedTag::Digest(hash_alg);
        if key.hierarchy == Hierarchy::Null || key.public.name_alg.is_none() {
            return TpmtTkVerified { tag, ..TpmtTkVerified::NULL };
        }
        let digest = self.digest_verified_mac(key.hierarchy, hash_alg, digest, key.name.as_bytes());
        TpmtTkVerified { tag, hierarchy: selector(key.hierarchy), digest }
    }

    /// "HMACcontextAlg(proof, (tag || digestOrMessage || keyName || metadata))" of a verified digest.
    pub(crate) fn digest_verified_mac(
        &self,
        hierarchy: Hierarchy,
        hash_alg: WireHash,
        digest: &[u8],
        key_name: &[u8],
    ) -> Tpm2bDigest {
        let metadata = hash_alg.id().0.to_be_bytes();
        self.proof_mac(hierarchy, &[&ST_DIGEST_VERIFIED.to_be_bytes(), digest, key_name, &metadata])
    }

    /// Starts the HMAC over a message whose signature is being verified: tag, message, Name of the key.
    pub(crate) fn message_ticket(&self, hierarchy: Hierarchy) -> Hmac<<P::Crypto as Crypto>::Hasher> {
        let proof = &self.state.hierarchies.of(hierarchy).proof;
        Hmac::new(PROOF_HASH, proof.as_bytes()).chain(&ST_MESSAGE_VERIFIED.to_be_bytes())
    }

    /// Says that a digest was computed here, with this hash, over data that does not begin like an attestation.
    ///
    /// As the reference, and beyond the formula of Part 2, the ticket holds for one hash algorithm alone: "the hash algorithm
    /// used in computing the digest is required to be the hash algorithm specified in the scheme of keyHandle
    /// (TPM_RC_TICKET)".
    pub(crate) fn hashcheck_ticket(&self, hierarchy: Hierarchy, alg: WireHash, digest: &[u8]) -> TpmtTkHashcheck {
        let digest = self.proof_mac(hierarchy, &[&ST_HASHCHECK.to_be_bytes(), &alg.id().0.to_be_bytes(), digest]);
        TpmtTkHashcheck::new(selector(hierarchy), digest)
    }

    /// "If keyHandle references a restricted signing key, then validation shall be provided"; a ticket that is given is
    /// checked for any key.
    pub(crate) fn check_hashcheck(
        &self,
        key: &Object,
        ticket: &TpmtTkHashcheck,
        alg: WireHash,
        digest: &[u8],
    ) -> Result<(), Rc> {
        if !key.has(TpmaObject::RESTRICTED) && ticket.digest.is_empty() {
            return Ok(());
        }
        let expected = self.hashcheck_ticket(hierarchy(ticket.hierarchy), alg, digest);
        if self.ticket_is(&ticket.digest, &expected.digest) { Ok(()) } else { Err(Rc::TICKET) }
    }

    /// The ticket that goes with a digest: the NULL ticket "if the digest is not safe to sign" or the hierarchy is NULL.
    pub(crate) fn digest_ticket(
        &self,
        selector: TpmiRhHierarchy,
        alg: WireHash,
        digest: &[u8],
        safety: Safety,
    ) -> TpmtTkHashcheck {
        match hierarchy(selector) {
            Hierarchy::Null => TpmtTkHashcheck::NULL,
            hierarchy if safety == Safety::Safe => self.hashcheck_ticket(hierarchy, alg, digest),
            _ => TpmtTkHashcheck::NULL,
        }
    }

    /// Authenticates parts with the proof of a hierarchy.
    pub(crate) fn proof_mac(&self, hierarchy: Hierarchy, parts: &[&[u8]]) -> Tpm2bDigest {
        let proof = &self.state.hierarchies.of(hierarchy).proof;
        // A digest of the crypto crate is never longer than one of the wire.
        Tpm2bDigest::new(P::Crypto::hmac(PROOF_HASH, proof.as_bytes(), parts).as_bytes()).unwrap_or_default()
    }

    /// Tells whether a ticket's digest is the one that this TPM would make.
    pub(crate) fn ticket_is(&self, ticket: &Tpm2bDigest, expected: &Tpm2bDigest) -> bool {
        constant_time_eq(ticket.as_bytes(), expected.as_bytes())
    }
}

/// Finds the hierarchy of a selector.
pub(crate) const fn hierarchy(selector: TpmiRhHierarchy) -> Hierarchy {
    match selector {
        TpmiRhHierarchy::Owner => Hierarchy::Owner,
        TpmiRhHierarchy::Platform => Hierarchy::Platform,
        TpmiRhHierarchy::Endorsement => Hierarchy::Endorsement,
        TpmiRhHierarchy::Null => Hierarchy::Null,
    }
}

/// Names a hierarchy on the wire.
pub(crate) const fn selector(hierarchy: Hierarchy) -> TpmiRhHierarchy {
    match hierarchy {
        Hierarchy::Owner => TpmiRhHierarchy::Owner,
        Hierarchy::Platform => TpmiRhHierarchy::Platform,
        Hierarchy::Endorsement => TpmiRhHierarchy::Endorsement,
        Hierarchy::Null => TpmiRhHierarchy::Null,
    }
}
