// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_HMAC` (Part 3, "TPM2_HMAC").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{Hmac, HmacHandles, HmacResponse};
use evtpm_tpm_wire::{
    Handle, HashAlg, Overflow, PublicBody, Rc, SensitiveBody, Subject, Tpm2bDigest, Tpm2bSensitiveData, TpmaObject,
    TpmtKeyedhashScheme,
};

impl Execute for Hmac<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: HmacHandles) -> Result<HmacResponse, Rc> {
        let (secret, alg) = tpm.hmac_key(handles.handle.handle(), self.hash_alg)?;
        let mac = P::Crypto::hmac(alg, secret.as_bytes(), &[self.buffer.as_bytes()]);
        Ok(HmacResponse { out_hmac: Tpm2bDigest::new(mac.as_bytes()).map_err(|Overflow| Rc::FAILURE)? })
    }
}

impl<P: Platform> Tpm<P> {
    /// Finds the secret of an HMAC key, the first handle, and the hash, the second parameter of both HMAC commands.
    pub(crate) fn hmac_key(
        &self,
        handle: Handle,
        requested: Option<HashAlg>,
    ) -> Result<(&Tpm2bSensitiveData, evtpm_crypto::HashAlg), Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = self.object(handle).ok_or(at_key(Rc::TYPE))?;
        let (own, secret) = keyed_hash(key).ok_or(at_key(Rc::TYPE))?;
        // "If the key referenced by handle has the restricted attribute SET, the TPM shall return TPM_RC_ATTRIBUTES."
        if key.has(TpmaObject::RESTRICTED) {
            return Err(at_key(Rc::ATTRIBUTES));
        }
        if !key.has(TpmaObject::SIGN) {
            return Err(at_key(Rc::KEY));
        }
        let hash = match (own, requested) {
            (Some(own), None) => own,
            (Some(own), Some(requested)) if own == requested => own,
            (None, Some(requested)) => requested,
            _ => return Err(Rc::VALUE.at(Subject::Parameter(2))),
        };
        Ok((secret, algorithm::hash(hash).ok_or(Rc::VALUE.at(Subject::Parameter(2)))?))
    }
}

/// Lends the scheme's hash and the secret of a keyed-hash object.
fn keyed_hash(key: &Object) -> Option<(Option<HashAlg>, &Tpm2bSensitiveData)> {
    let PublicBody::KeyedHash { scheme, .. } = &key.public.body else { return None };
    let SensitiveBody::KeyedHash(secret) = &key.sensitive.as_ref()?.body else { return None };
    let own = scheme.map(|scheme| match scheme {
        TpmtKeyedhashScheme::Hmac(hash) => hash,
        TpmtKeyedhashScheme::Xor(xor) => xor.hash_alg,
    });
    Some((own, secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::objects::{OWN, keyed_hash, object, sealed};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::Tpm2bMaxBuffer;

    fn hmac(tpm: &mut TestTpm, key: Handle, hash_alg: Option<HashAlg>) -> Result<Tpm2bDigest, Rc> {
        let buffer = Tpm2bMaxBuffer::new(b"what do ya want for nothing?").unwrap();
        tpm.send(&Hmac { buffer, hash_alg }, HmacHandles { handle: object(key) }).map(|response| response.out_hmac)
    }

    #[test]
    fn the_key_of_rfc_4231_gives_the_mac_of_rfc_4231() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let attributes = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN) | TpmaObject::SIGN;
        let key = tpm.child(parent, keyed_hash(attributes, None), b"Jefe");
        let mac = hmac(&mut tpm, key, Some(HashAlg::Sha256)).unwrap();
        assert_eq!(mac.as_bytes()[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }

    #[test]
    fn the_hash_is_the_keys_or_else_the_callers() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let refused = Err(Rc::VALUE.at(Subject::Parameter(2)));
        let free = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, None), &[]);
        assert_eq!(hmac(&mut tpm, free, None), refused);
        assert_eq!(hmac(&mut tpm, free, Some(HashAlg::Sha384)).unwrap().len(), 48);
        let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
        let bound = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, scheme), &[]);
        assert_eq!(hmac(&mut tpm, bound, Some(HashAlg::Sha384)), refused);
        assert_eq!(hmac(&mut tpm, bound, None), hmac(&mut tpm, bound, Some(HashAlg::Sha256)));
    }

    #[test]
    fn each_unfit_key_has_its_own_code() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let data = tpm.child(parent, sealed(), b"data");
        let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
        let attributes = OWN | TpmaObject::SIGN | TpmaObject::RESTRICTED;
        let restricted = tpm.child(parent, keyed_hash(attributes, scheme), &[]);
        for (key, expected) in [(parent, Rc::TYPE), (data, Rc::KEY), (restricted, Rc::ATTRIBUTES)] {
            assert_eq!(hmac(&mut tpm, key, Some(HashAlg::Sha256)), Err(expected.at(Subject::Handle(1))));
        }
    }
}
