// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the keys of derived objects are made from (Part 1, "Entropy for Derived Objects").

use crate::algorithm;
use crate::state::Object;
use evtpm_crypto::{Crypto, EntropyError, Rng, kdfa};
use evtpm_tpm_wire::{Overflow, PublicBody, Rc, Secret, SensitiveBody, TpmsDerive, TpmtKeyedhashScheme};

/// "This call will cause the KDF to generate 1024 bytes of data".
const SIZE: usize = 1024;

/// The bytes of a derivation, "used from most significant byte to least significant byte with no bytes skipped".
pub(crate) struct Derivation {
    bytes: Secret<SIZE>,
    used: usize,
}

impl Derivation {
    /// Computes the bytes; `TPM_RC_TYPE` if the object is no derivation parent.
    pub(crate) fn start<C: Crypto>(parent: &Object, derive: &TpmsDerive) -> Result<Self, Rc> {
        let PublicBody::KeyedHash { scheme: Some(TpmtKeyedhashScheme::Xor(xor)), .. } = &parent.public.body else {
            return Err(Rc::TYPE);
        };
        let Some(SensitiveBody::KeyedHash(key)) = parent.sensitive.as_ref().map(|sensitive| &sensitive.body) else {
            return Err(Rc::TYPE);
        };
        // "a property of the Derivation Parent and can include the hash algorithm": its scheme names it, as other TPMs read it
        let alg = algorithm::hash(xor.hash_alg).ok_or(Rc::HASH)?;
        let mut bytes = Secret::zeros(SIZE).map_err(|Overflow| Rc::FAILURE)?;
        let (label, context) = (derive.label.as_bytes(), derive.context.as_bytes());
        kdfa::<C>(alg, key.as_bytes(), label, context, &[], 8192, bytes.as_mut_bytes()).map_err(|_| Rc::FAILURE)?;
        Ok(Self { bytes, used: 0 })
    }
}

impl Rng for Derivation {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let end = self.used.saturating_add(out.len());
        let next = self.bytes.as_bytes().get(self.used..end).ok_or(EntropyError::Exhausted { attempts: 0 })?;
        out.iter_mut().zip(next).for_each(|(to, from)| *to = *from);
        self.used = end;
        Ok(())
    }
}
