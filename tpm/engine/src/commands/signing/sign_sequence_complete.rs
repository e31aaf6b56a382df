// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SignSequenceComplete` (Part 3, "TPM2_SignSequenceComplete").

use crate::algorithm;
use crate::commands::Execute;
use crate::commands::sequence::signature::fingerprint;
use crate::object::schemes::Scheme;
use crate::state::{Message, MessageOf, Safety, SequenceKind};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, EdDsa};
use evtpm_protocol::ProtocolError;
use evtpm_tpm_wire::commands::{SignSequenceComplete, SignSequenceCompleteHandles, SignSequenceCompleteResponse};
use evtpm_tpm_wire::{Handle, Rc, Subject, TpmaObject, TpmtHa, TpmtSigScheme, TpmtSignature};

type Sequence<P> = MessageOf<<<P as Platform>::Crypto as Crypto>::Hasher>;

impl Execute for SignSequenceComplete<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: SignSequenceCompleteHandles,
    ) -> Result<SignSequenceCompleteResponse, Rc> {
        let (handle, data) = (handles.sequence_handle.handle(), self.buffer.as_bytes());
        let no_sequence = Rc::MODE.at(Subject::Handle(1));
        let SequenceKind::Sign(sequence) = &tpm.sequence(handle).ok_or(no_sequence)?.kind else {
            return Err(no_sequence);
        };
        let at_key = |rc: Rc| rc.at(Subject::Handle(2));
        let key = tpm.signing_key(handles.key_handle.handle(), 2)?;
        // "a key that is not the same as the key that was used to start the signature context"
        if fingerprint::<P::Crypto>(key, None)? != sequence.key {
            return Err(at_key(Rc::SIGN_CONTEXT_KEY));
        }
        // "The x509sign attribute of keyHandle must not be SET (TPM_RC_ATTRIBUTES)."
        if key.has(TpmaObject::X509_SIGN) {
            return Err(at_key(Rc::ATTRIBUTES));
        }
        // "If the restricted attribute of keyHandle is SET, then message must not begin with TPM_GENERATED_VALUE."
        if key.has(TpmaObject::RESTRICTED) && sequence.safety.after(data) != Safety::Safe {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }
        // "a non-empty sequence (i.e., one in which TPM2_SequenceUpdate() was already used)"
        if matches!(sequence.message, Message::Whole { started: true }) {
            return Err(Rc::ONE_SHOT_SIGNATURE.at(Subject::Handle(1)));
        }

        let sequence = sequence.clone();
        let signature = sign::<P>(tpm, handles.key_handle.handle(), sequence, data)?;

        tpm.state.objects.flush(handle).ok_or(no_sequence)?;
        Ok(SignSequenceCompleteResponse { signature })
    }
}

fn sign<P: Platform>(
    tpm: &mut Tpm<P>,
    key: Handle,
    mut sequence: Sequence<P>,
    data: &[u8],
) -> Result<TpmtSignature, Rc> {
    sequence.update(data);
    let public = &tpm.object(key).ok_or(Rc::KEY)?.public;
    let scheme = Scheme::of(public).map_err(|rc| rc.at(Subject::Handle(2)))?;
    match (sequence.message, scheme) {
        (Message::Whole { .. }, _) => tpm.sign_with_ed25519(key, EdDsa::Pure, data),
        (Message::Keyed(mac), Scheme::Named(TpmtSigScheme::Hmac(_))) => {
            let hash = algorithm::wire_hash(mac.alg());
            TpmtHa::new(hash, mac.finish().as_bytes()).map(TpmtSignature::Hmac).ok_or(Rc::FAILURE)
        }
        (Message::Hashed(hash), _) => {
            let signed = hash.finish::<P::Crypto>(public).map_err(ProtocolError::rc)?;
            tpm.sign_finished(key, scheme, &signed)
        }
        (Message::Keyed(_), _) => Err(Rc::FAILURE),
    }
}
