// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ECC_Encrypt` (Part 3, "TPM2_ECC_Encrypt").

use super::ecdh_key_gen::wire_point;
use crate::commands::Execute;
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::{HashAlg, ecc_encryption};
use evtpm_protocol::ecc_point;
use evtpm_tpm_wire::commands::{EccEncrypt, EccEncryptHandles, EccEncryptResponse};
use evtpm_tpm_wire::{Buf, Overflow, PublicBody, Rc, Subject, Tpm2bDigest, TpmsEccParms, TpmtKdfScheme};

impl Execute for EccEncrypt<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EccEncryptHandles) -> Result<EccEncryptResponse, Rc> {
        // "The key referenced by keyHandle (key) is required to be an ECC key (TPM_RC_KEY)."
        let no_ecc_key = Rc::KEY.at(Subject::Handle(1));
        let key = tpm.object(handles.key_handle.handle()).ok_or(no_ecc_key)?;
        let PublicBody::Ecc { parms, unique } = &key.public.body else { return Err(no_ecc_key) };
        let alg = select_hash(parms, self.in_scheme, Subject::Parameter(2))?;
        let recipient = ecc_point(parms.curve_id, unique).map_err(|_| no_ecc_key)?;

        let mut c2 = Buf::new(self.plain_text.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        let made = ecc_encryption::encrypt::<P::Crypto>(&recipient, alg, c2.as_mut_bytes(), &mut tpm.rng());
        let (c1, c3) = made.map_err(|error| tpm.refuse(error, no_ecc_key))?;

        let c3 = Tpm2bDigest::new(c3.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        Ok(EccEncryptResponse { c1: wire_point(&c1)?, c2, c3 })
    }
}

/// "If the default key scheme is TPM_ALG_NULL, an appropriate inScheme is required. If the default key scheme is not
/// TPM_ALG_NULL, the key scheme and inScheme must be the same", or inScheme left to the key.
pub(super) fn select_hash(
    parms: &TpmsEccParms,
    requested: Option<TpmtKdfScheme>,
    in_scheme: Subject,
) -> Result<HashAlg, Rc> {
    let selected = match (parms.kdf, requested) {
        (Some(own), Some(requested)) if own != requested => None,
        (own, requested) => own.or(requested),
    };
    // "Currently, only KDF2 (TPM_ALG_KDF2) is supported." As the reference, another one is not blamed on the parameter.
    let TpmtKdfScheme::Kdf2(hash) = selected.ok_or(Rc::SCHEME.at(in_scheme))? else { return Err(Rc::SCHEME) };
    algorithm::hash(hash).ok_or(Rc::SCHEME)
}
