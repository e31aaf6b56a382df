// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_VerifySignature` (Part 3, "TPM2_VerifySignature").

use crate::algorithm;
use crate::commands::Execute;
use crate::object::signing::select_scheme;
use crate::state::{Hierarchy, Object};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, constant_time_eq};
use evtpm_protocol::{ProtocolError, verify_signature};
use evtpm_tpm_wire::commands::{VerifySignature, VerifySignatureHandles, VerifySignatureResponse};
use evtpm_tpm_wire::{
    PublicBody, Rc, SensitiveBody, Subject, TpmaObject, TpmtHa, TpmtSigScheme, TpmtSignature, TpmtTkVerified,
};

impl Execute for VerifySignature {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: VerifySignatureHandles,
    ) -> Result<VerifySignatureResponse, Rc> {
        let key = tpm.object(handles.key_handle.handle()).filter(|key| key.has(TpmaObject::SIGN));
        let key = key.ok_or(Rc::ATTRIBUTES.at(Subject::Handle(1)))?;

        match (&key.public.body, &self.signature) {
            (PublicBody::KeyedHash { .. }, TpmtSignature::Hmac(mac)) => {
                verify_hmac::<P::Crypto>(key, self.digest.as_bytes(), mac)?;
            }
            _ => match verify_signature::<P::Crypto>(&key.public, self.digest.as_bytes(), &self.signature) {
                Ok(()) => {}
                Err(ProtocolError::SignatureKind) => return Err(Rc::SCHEME.at(Subject::Parameter(2))),
                // "Otherwise, the TPM shall return TPM_RC_SIGNATURE."
                Err(_) => return Err(Rc::SIGNATURE.at(Subject::Parameter(2))),
            },
        }
        // "If the key is in the NULL hierarchy, then hmac in the ticket will be the Empty Buffer": as without a Name
        let validation = if key.hierarchy == Hierarchy::Null || key.public.name_alg.is_none() {
            TpmtTkVerified::NULL
        } else {
            tpm.verified_ticket(key.hierarchy, self.digest.as_bytes(), key.name.as_bytes())
        };

        Ok(VerifySignatureResponse { validation })
    }
}

/// "If keyHandle references a symmetric key, both the public and private portions need to be loaded."
fn verify_hmac<C: Crypto>(key: &Object, digest: &[u8], mac: &TpmtHa) -> Result<(), Rc> {
    let Some(SensitiveBody::KeyedHash(secret)) = key.sensitive.as_ref().map(|sensitive| &sensitive.body) else {
        return Err(Rc::HANDLE.at(Subject::Parameter(2)));
    };
    let scheme = select_scheme(&key.public, Some(TpmtSigScheme::Hmac(mac.hash_alg())));
    let hash = scheme.map_err(|rc| rc.at(Subject::Parameter(2)))?.hash_alg();
    let alg = algorithm::hash(hash).ok_or(Rc::SCHEME.at(Subject::Parameter(2)))?;
    let expected = C::hmac(alg, secret.as_bytes(), &[digest]);
    if constant_time_eq(expected.as_bytes(), mac.digest()) {
        Ok(())
    } else {
        Err(Rc::SIGNATURE.at(Subject::Parameter(2)))
    }
}
