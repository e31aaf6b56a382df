// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of entities (Part 1, "Names", "Qualified Names").
use evtpm_crypto::{Crypto, Digest};
use evtpm_tpm_wire::{Handle, HashAlg, MAX_PUBLIC_HEAD, Overflow, Tpm2bName, TpmsNvPublic, TpmtNvPublic2, TpmtPublic};

use crate::{ProtocolError, crypto_hash, hash_of};

/// The size of the greatest public area of an NV index.
const MAX_NV_PUBLIC: usize = 84;

/// Computes the Name of an object: "nameAlg || H_nameAlg (publicArea)"; an object without a nameAlg has an empty Name.
pub fn object_name<C: Crypto>(public: &TpmtPublic) -> Result<Tpm2bName, ProtocolError> {
    let Some(name_alg) = public.name_alg else {
        return Ok(Tpm2bName::EMPTY);
    };
    let mut buffer = [0; MAX_PUBLIC_HEAD];
    Ok(name(name_alg, &C::hash(crypto_hash(name_alg)?, &public.parts(&mut buffer)?))?)
}

/// Computes the Name of an NV index: "nameAlg || H_nameAlg (nvPublicArea)".
pub fn nv_name<C: Crypto>(public: &TpmsNvPublic) -> Result<Tpm2bName, ProtocolError> {
    Ok(name(public.name_alg, &hash_of::<C, MAX_NV_PUBLIC>(public.name_alg, public)?)?)
}

/// Computes the Name of an NV index of either kind: "The bare TPMU_NV_PUBLIC_2 contents are used".
pub fn nv_name_2<C: Crypto>(public: &TpmtNvPublic2) -> Result<Tpm2bName, ProtocolError> {
    match public {
        TpmtNvPublic2::NvIndex(public) => nv_name::<C>(public),
        TpmtNvPublic2::ExternalNv(public) => {
            Ok(name(public.name_alg, &hash_of::<C, MAX_NV_PUBLIC>(public.name_alg, public)?)?)
        }
    }
}

/// Returns the Name of an entity that is known by its handle alone: a PCR, a session or a permanent entity.
pub fn handle_name(handle: Handle) -> Tpm2bName {
    // Cannot fail: four bytes fit.
    Tpm2bName::new(&handle.0.to_be_bytes()).unwrap_or_default()
}

/// Computes a Qualified Name: "nameAlg || H_nameAlg (QN_parent || Name)". The Qualified Name of a hierarchy is its
/// handle.
pub fn qualified_name<C: Crypto>(
    parent: &Tpm2bName,
    name_alg: Option<HashAlg>,
    name_of_object: &Tpm2bName,
) -> Result<Tpm2bName, ProtocolError> {
    let Some(name_alg) = name_alg else {
        return Ok(Tpm2bName::EMPTY);
    };
    let digest = C::hash(crypto_hash(name_alg)?, &[parent.as_bytes(), name_of_object.as_bytes()]);
    Ok(name(name_alg, &digest)?)
}

fn name(hash: HashAlg, digest: &Digest) -> Result<Tpm2bName, Overflow> {
    let mut name = Tpm2bName::new(&hash.id().0.to_be_bytes())?;
    name.extend(digest.as_bytes())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;
    use evtpm_tpm_wire::{Supported, from_bytes};
    use hex_literal::hex;

    use super::*;

    #[test]
    fn the_name_of_an_index_covers_its_public_area() {
        // PolicyC's index for SHA-256: the EK Credential Profile builds PolicyB on this Name.
        let area =
            hex!("01c07f01 000b 220f1008 0020 837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa 0022");
        let public: TpmsNvPublic = from_bytes(&area, &Supported::ALL).unwrap();
        let name = nv_name::<RustCrypto>(&public).unwrap();
        assert_eq!(name.as_bytes()[..2], [0, 0x0B]);
        assert_eq!(name.as_bytes()[2..], *RustCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[&area]).as_bytes());
    }

    #[test]
    fn a_hierarchy_is_named_by_its_handle() {
        assert_eq!(handle_name(Handle::ENDORSEMENT).as_bytes(), [0x40, 0, 0, 0x0B]);
    }

    #[test]
    fn an_object_without_name_algorithm_has_no_name() {
        let mut public = crate::templates::storage_root_key();
        assert_eq!(object_name::<RustCrypto>(&public).unwrap().len(), 34);
        public.name_alg = None;
        assert!(object_name::<RustCrypto>(&public).unwrap().is_empty());
    }
}
