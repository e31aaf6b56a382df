// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_VerifySequenceComplete` (Part 3, "TPM2_VerifySequenceComplete").

use crate::algorithm::wire_hash;
use crate::commands::Execute;
use crate::commands::sequence::signature::fingerprint;
use crate::state::{Hierarchy, Message, SequenceKind};
use crate::{Platform, Tpm, ticket};
use evtpm_protocol::ProtocolError;
use evtpm_tpm_wire::commands::{VerifySequenceComplete, VerifySequenceCompleteHandles, VerifySequenceCompleteResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest, TpmtSignature, TpmtTkVerified, VerifiedTag};

impl Execute for VerifySequenceComplete {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: VerifySequenceCompleteHandles,
    ) -> Result<VerifySequenceCompleteResponse, Rc> {
        let handle = handles.sequence_handle.handle();
        let no_sequence = Rc::MODE.at(Subject::Handle(1));
        let SequenceKind::Verify(sequence, mac) = &tpm.sequence(handle).ok_or(no_sequence)?.kind else {
            return Err(no_sequence);
        };
        let key = tpm.signing_key(handles.key_handle.handle(), 2)?;
        // "a key that is not the same as the key that was used to start the signature context"
        if fingerprint::<P::Crypto>(key, Some(key.hierarchy))? != sequence.key {
            return Err(Rc::SIGN_CONTEXT_KEY.at(Subject::Handle(2)));
        }

        let verified = match (sequence.message.clone(), &self.signature) {
            (Message::Hashed(hash), signature) => hash.verify::<P::Crypto>(&key.public, signature),
            (Message::Keyed(mac), TpmtSignature::Hmac(claimed)) if claimed.hash_alg() == wire_hash(mac.alg()) => {
                if mac.verify(claimed.digest()) { Ok(()) } else { Err(ProtocolError::Integrity) }
            }
            _ => Err(ProtocolError::SignatureKind),
        };
        let mut validation = TpmtTkVerified { tag: VerifiedTag::Message, ..TpmtTkVerified::NULL };
        // "If the key is in the NULL hierarchy, then hmac in the ticket will be the Empty Buffer."
        if key.hierarchy != Hierarchy::Null && key.public.name_alg.is_some() {
            let digest = mac.clone().chain(key.name.as_bytes()).finish();
            validation.hierarchy = ticket::selector(key.hierarchy);
            validation.digest = Tpm2bDigest::new(digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        }
        verified.map_err(|error| tpm.refuse_signature(error).at(Subject::Parameter(1)))?;

        tpm.state.objects.flush(handle).ok_or(no_sequence)?;
        Ok(VerifySequenceCompleteResponse { validation })
    }
}
