// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_VerifyDigestSignature` (Part 3, "TPM2_VerifyDigestSignature").

use super::sign_digest::{digest_scheme, find_signed};
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_protocol::message::{scheme_hash, verify_digest};
use evtpm_tpm_wire::commands::{VerifyDigestSignature, VerifyDigestSignatureHandles, VerifyDigestSignatureResponse};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for VerifyDigestSignature<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: VerifyDigestSignatureHandles,
    ) -> Result<VerifyDigestSignatureResponse, Rc> {
        let key = tpm.signing_key(handles.key_handle.handle(), 1)?;
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        digest_scheme(&key.public).map_err(at_key)?;
        let hash_alg = scheme_hash(&key.public).map_err(|_| at_key(Rc::SCHEME))?;
        let (context, digest) = (self.context.as_bytes(), self.digest.as_bytes());
        find_signed::<P::Crypto>(&key.public, context, digest)?;

        let verified = verify_digest::<P::Crypto>(&key.public, context, digest, &self.signature);
        let validation = tpm.digest_verified_ticket(key, hash_alg, digest);
        verified.map_err(|error| tpm.refuse_signature(error).at(Subject::Parameter(3)))?;

        Ok(VerifyDigestSignatureResponse { validation })
    }
}
