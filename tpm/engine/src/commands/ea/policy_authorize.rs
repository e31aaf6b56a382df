// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyAuthorize` (Part 3, "TPM2_PolicyAuthorize").

use crate::commands::Execute;
use crate::{Platform, Tpm, algorithm, ticket};
use evtpm_crypto::{Crypto, HashAlg};
use evtpm_tpm_wire::commands::{PolicyAuthorize, PolicyAuthorizeHandles};
use evtpm_tpm_wire::{Rc, Reader, Subject, Supported, Tpm2bDigest, VerifiedTag};

impl Execute for PolicyAuthorize {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyAuthorizeHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let (policy_ref, key_sign) = (self.policy_ref.as_bytes(), self.key_sign.as_bytes());
        // A trial session takes the ticket for valid; that keySign is a Name is no matter of the ticket.
        let alg = name_alg(key_sign, &tpm.profile.supported).map_err(|rc| rc.at(Subject::Parameter(3)))?;
        if !evaluation.is_trial() {
            // "approvedPolicy matches the current value of policySession→policyDigest and if not, ... TPM_RC_VALUE"
            if self.approved_policy.as_bytes() != evaluation.digest() {
                return Err(Rc::VALUE.at(Subject::Parameter(1)));
            }
            // "If the ticket is not valid, the TPM shall return TPM_RC_POLICY."
            let expected = expected_mac(tpm, &self, alg).ok_or(Rc::POLICY)?;
            if !tpm.ticket_is(&self.check_ticket.digest, &expected) {
                return Err(Rc::POLICY);
            }
        }

        evaluation.extend(|digest| digest.authorize::<P::Crypto>(key_sign, policy_ref))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}

/// Computes the HMAC of the ticket for "toBeSigned": of its digest, by the nameAlg or by the hash that the ticket names, or
/// of itself if that was the message.
fn expected_mac<P: Platform>(tpm: &Tpm<P>, command: &PolicyAuthorize, name_alg: HashAlg) -> Option<Tpm2bDigest> {
    let ticket = &command.check_ticket;
    let (hierarchy, key_sign) = (ticket::hierarchy(ticket.hierarchy), command.key_sign.as_bytes());
    let to_be_signed = [command.approved_policy.as_bytes(), command.policy_ref.as_bytes()];
    match ticket.tag {
        VerifiedTag::Verified => {
            let digest = P::Crypto::hash(name_alg, &to_be_signed);
            Some(tpm.verified_ticket(hierarchy, digest.as_bytes(), key_sign).digest)
        }
        VerifiedTag::Message => {
            let [approved_policy, policy_ref] = to_be_signed;
            let mac = tpm.message_ticket(hierarchy).chain(approved_policy).chain(policy_ref).chain(key_sign);
            Tpm2bDigest::new(mac.finish().as_bytes()).ok()
        }
        VerifiedTag::Digest(hash_alg) => {
            let digest = P::Crypto::hash(algorithm::hash(hash_alg)?, &to_be_signed);
            Some(tpm.digest_verified_mac(hierarchy, hash_alg, digest.as_bytes(), key_sign))
        }
    }
}

/// "If the first two octets of keySign are not a valid hash algorithm, the TPM shall return TPM_RC_HASH. If the remainder
/// of the Name is not the size of the indicated digest, the TPM shall return TPM_RC_SIZE."
fn name_alg(name: &[u8], supported: &Supported) -> Result<HashAlg, Rc> {
    let mut reader = Reader::new(name, supported);
    let alg: evtpm_tpm_wire::HashAlg = reader.read().map_err(|_| Rc::HASH)?;
    if reader.remaining().len() != alg.digest_size() {
        return Err(Rc::SIZE);
    }
    algorithm::hash(alg).ok_or(Rc::HASH)
}
