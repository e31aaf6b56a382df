// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_CertifyX509` (Part 3, "TPM2_CertifyX509").

use crate::algorithm;
use crate::commands::Execute;
use crate::object::signing::select_scheme;
use crate::state::Object;
use crate::ticket::PROOF_HASH;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, StreamingHash};
use evtpm_protocol::pss_salt_size;
use evtpm_protocol::x509::{self, PartialCertificate, SERIAL_NUMBER_SIZE};
use evtpm_tpm_wire::commands::{CertifyX509, CertifyX509Handles, CertifyX509Response};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest};

impl Execute for CertifyX509<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: CertifyX509Handles) -> Result<CertifyX509Response, Rc> {
        // "reserved: shall be an Empty Buffer"
        if !self.reserved.is_empty() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        // "signHandle is required to have the sign attribute SET (TPM_RC_KEY)."
        let signer = tpm.signing_key(handles.sign_handle.handle(), 2)?;
        let scheme = select_scheme(&signer.public, self.in_scheme).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        let alg = algorithm::hash(scheme.hash_alg()).ok_or(Rc::SCHEME.at(Subject::Parameter(2)))?;
        let object = tpm.object(handles.object_handle.handle()).ok_or(Rc::ASYMMETRIC.at(Subject::Handle(1)))?;
        if !x509::is_certifiable(&object.public) {
            return Err(Rc::ASYMMETRIC.at(Subject::Handle(1)));
        }
        let at_certificate = |rc: Rc| rc.at(Subject::Parameter(3));
        let partial = PartialCertificate::parse(self.partial_certificate.as_bytes()).map_err(at_certificate)?;
        // "If the caller does not provide this field and the TPM does not have OID values for the signing scheme, then the
        // TPM will return an error (TPM_RC_SCHEME)."
        if partial.signature.is_none() && !x509::has_identifier(scheme) {
            return Err(Rc::SCHEME.at(Subject::Handle(2)));
        }
        // "the extension value exactly matches the TPMA_OBJECT of objectKey (TPM_RC_ATTRIBUTES)"; "verify that the
        // attributes of objectHandle are consistent with the selected values (TPM_RC_ATTRIBUTES)"
        let attributes = object.public.object_attributes;
        let claims = &partial.claims;
        if claims.object.is_some_and(|claimed| claimed != attributes.0) || !claims.key_usage.fits(attributes) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }

        let salt = pss_salt_size(&signer.public, alg);
        let serial = |parts: &[&[u8]]| serial_number::<P::Crypto>(signer, object, parts);
        let completed = x509::complete::<P::Crypto>(&partial, &object.public, (scheme, alg), salt, serial);
        let completed = completed.map_err(|Overflow| at_certificate(Rc::SIZE))?;
        let tbs_digest = Tpm2bDigest::new(completed.tbs_digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        let signature = tpm.sign(handles.sign_handle.handle(), scheme, tbs_digest.as_bytes())?;

        Ok(CertifyX509Response { added_to_certificate: completed.added, tbs_digest, signature })
    }
}

/// A number that no two certificates share, from what is certified and who certifies.
fn serial_number<C: Crypto>(signer: &Object, object: &Object, parts: &[&[u8]]) -> [u8; SERIAL_NUMBER_SIZE] {
    let mut hasher = C::Hasher::new(signer.public.name_alg.and_then(algorithm::hash).unwrap_or(PROOF_HASH));
    let names = [signer.name.as_bytes(), object.name.as_bytes()];
    parts.iter().chain(&names).for_each(|part| hasher.update(part));
    let mut number = [0; SERIAL_NUMBER_SIZE];
    number.iter_mut().zip(hasher.finish().as_bytes()).for_each(|(to, from)| *to = *from);
    number
}
