// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the two starts of a signature sequence share (Part 3, "TPM2_SignSequenceStart", "TPM2_VerifySequenceStart").

use crate::algorithm;
use crate::object::schemes::Scheme;
use crate::state::{Hierarchy, Message, MessageOf, Object, Safety};
use crate::{Platform, Tpm, ticket};
use evtpm_crypto::{Crypto, Digest, HashAlg, Hmac};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::message::MessageHash;
use evtpm_tpm_wire::{Handle, MAX_PUBLIC_HEAD, Overflow, Rc, SensitiveBody, Subject, TpmaObject, TpmtSigScheme};

/// Who starts a sequence, and with what.
pub(super) enum Start<'a> {
    /// `TPM2_SignSequenceStart`, whose context is its second parameter.
    Sign,
    /// `TPM2_VerifySequenceStart`, whose hint and context are its second and third parameters.
    Verify(&'a [u8]),
}

impl<P: Platform> Tpm<P> {
    /// Starts the message of a key that has a scheme of its own.
    pub(super) fn start_message(
        &self,
        handle: Handle,
        context: &[u8],
        start: &Start<'_>,
    ) -> Result<MessageOf<<P::Crypto as Crypto>::Hasher>, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = self.signing_key(handle, 1)?;
        let scheme = Scheme::of(&key.public).map_err(at_key)?;
        let is_eddsa = scheme == Scheme::Named(TpmtSigScheme::Eddsa);
        let (hint, context_number) = match start {
            Start::Sign => (&[][..], 2),
            Start::Verify(hint) => (*hint, 3),
        };
        // "hint must be supplied for TPM_ALG_EDDSA, and must be zero-length in all other cases"
        let expected = if is_eddsa && matches!(start, Start::Verify(_)) { 32 } else { 0 };
        if hint.len() != expected {
            return Err(Rc::SIZE.at(Subject::Parameter(2)));
        }
        let no_context = Rc::SIZE.at(Subject::Parameter(context_number));
        // What TPMT_SIG_SCHEME can name has no context.
        if matches!(scheme, Scheme::Named(_)) && !context.is_empty() {
            return Err(no_context);
        }

        let message = match (scheme, start) {
            (Scheme::Named(TpmtSigScheme::Eddsa), Start::Sign) => Message::Whole { started: false },
            (Scheme::Named(TpmtSigScheme::Hmac(hash)), _) => {
                let alg = algorithm::hash(hash).ok_or(at_key(Rc::SCHEME))?;
                Message::Keyed(Hmac::new(alg, hmac_secret(key, start).map_err(at_key)?))
            }
            _ => match MessageHash::start::<P::Crypto>(&key.public, context, hint) {
                Ok(hash) => Message::Hashed(hash),
                Err(ProtocolError::Context) => return Err(no_context),
                Err(error) => return Err(at_key(error.rc())),
            },
        };
        let ticket_of = matches!(start, Start::Verify(_)).then_some(key.hierarchy);
        Ok(MessageOf { key: fingerprint::<P::Crypto>(key, ticket_of)?, message, safety: Safety::Undecided })
    }
}

/// "it is not possible to support restricted HMAC keys with TPM2_SignSequenceComplete()"; "If keyHandle references a
/// symmetric key, both the public and private portions need to be loaded."
fn hmac_secret<'k>(key: &'k Object, start: &Start<'_>) -> Result<&'k [u8], Rc> {
    if matches!(start, Start::Sign) && key.has(TpmaObject::RESTRICTED) {
        return Err(Rc::ATTRIBUTES);
    }
    match key.sensitive.as_ref().map(|sensitive| &sensitive.body) {
        Some(SensitiveBody::KeyedHash(secret)) => Ok(secret.as_bytes()),
        _ => Err(Rc::HANDLE),
    }
}

/// Tells one key from another: a key without nameAlg has no Name that could, and nothing in its public area tells of the
/// secret of an HMAC. For a ticket, which is begun with the proof of a hierarchy, it tells hierarchies too.
pub(crate) fn fingerprint<C: Crypto>(key: &Object, ticket_of: Option<Hierarchy>) -> Result<Digest, Rc> {
    let mut buffer = [0; MAX_PUBLIC_HEAD];
    let parts = key.public.parts(&mut buffer).map_err(|Overflow| Rc::MEMORY)?;
    let public = C::hash(HashAlg::Sha256, &parts);
    let secret = match key.sensitive.as_ref().map(|sensitive| &sensitive.body) {
        Some(SensitiveBody::KeyedHash(secret)) => secret.as_bytes(),
        _ => &[],
    };
    let hierarchy = ticket_of.map_or(Handle(0), |hierarchy| ticket::selector(hierarchy).handle());
    Ok(C::hash(HashAlg::Sha256, &[public.as_bytes(), &hierarchy.0.to_be_bytes(), secret]))
}
