// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `TPM_CAP_ALGS` says about each algorithm (Part 2, "TPM_ALG_ID", column "Type").

use evtpm_tpm_wire::{Supported, TpmAlgId, TpmaAlgorithm, TpmsAlgProperty};

const ASYMMETRIC: TpmaAlgorithm = TpmaAlgorithm::ASYMMETRIC;
const SYMMETRIC: TpmaAlgorithm = TpmaAlgorithm::SYMMETRIC;
const HASH: TpmaAlgorithm = TpmaAlgorithm::HASH;
const OBJECT: TpmaAlgorithm = TpmaAlgorithm::OBJECT;
const SIGNING: TpmaAlgorithm = TpmaAlgorithm::SIGNING;
const ENCRYPTING: TpmaAlgorithm = TpmaAlgorithm::ENCRYPTING;
const METHOD: TpmaAlgorithm = TpmaAlgorithm::METHOD;

/// In ascending order of the identifiers.
const ALGORITHMS: &[(TpmAlgId, TpmaAlgorithm)] = &[
    (TpmAlgId::RSA, ASYMMETRIC.with(OBJECT)),
    (TpmAlgId::SHA1, HASH),
    (TpmAlgId::HMAC, HASH.with(SIGNING)),
    (TpmAlgId::AES, SYMMETRIC),
    (TpmAlgId::MGF1, HASH.with(METHOD)),
    (TpmAlgId::KEYEDHASH, HASH.with(SIGNING).with(ENCRYPTING).with(OBJECT)),
    (TpmAlgId::XOR, HASH.with(SYMMETRIC)),
    (TpmAlgId::SHA256, HASH),
    (TpmAlgId::SHA384, HASH),
    (TpmAlgId::SHA512, HASH),
    (TpmAlgId::RSASSA, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::RSAES, ASYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::RSAPSS, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::OAEP, ASYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::ECDSA, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::ECDH, ASYMMETRIC.with(METHOD)),
    (TpmAlgId::ECDAA, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::ECSCHNORR, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::HKDF, HASH.with(METHOD)),
    (TpmAlgId::KDF1_SP800_56A, HASH.with(METHOD)),
    (TpmAlgId::KDF2, HASH.with(METHOD)),
    (TpmAlgId::KDF1_SP800_108, HASH.with(METHOD)),
    (TpmAlgId::ECC, ASYMMETRIC.with(OBJECT)),
    (TpmAlgId::SYMCIPHER, OBJECT),
    (TpmAlgId::SHA3_256, HASH),
    (TpmAlgId::SHA3_384, HASH),
    (TpmAlgId::SHA3_512, HASH),
    (TpmAlgId::SHAKE256_512, HASH),
    (TpmAlgId::CMAC, SYMMETRIC.with(SIGNING)),
    (TpmAlgId::CTR, SYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::OFB, SYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::CBC, SYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::CFB, SYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::ECB, SYMMETRIC.with(ENCRYPTING)),
    (TpmAlgId::EDDSA, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::HASH_EDDSA, ASYMMETRIC.with(SIGNING)),
    (TpmAlgId::MLKEM, ASYMMETRIC.with(ENCRYPTING).with(OBJECT)),
    (TpmAlgId::MLDSA, ASYMMETRIC.with(SIGNING).with(OBJECT)),
    (TpmAlgId::HASH_MLDSA, ASYMMETRIC.with(SIGNING).with(OBJECT)),
];

/// Walks over the algorithms that a profile has.
pub(super) fn algorithms(supported: &Supported) -> impl Iterator<Item = TpmsAlgProperty> {
    let known = ALGORITHMS.iter().filter(|(alg, _)| supported.algorithms.contains(*alg));
    known.map(|(alg, alg_properties)| TpmsAlgProperty { alg: *alg, alg_properties: *alg_properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    #[test]
    fn the_list_is_in_ascending_order() {
        assert!(ALGORITHMS.is_sorted_by_key(|(alg, _)| *alg));
    }

    #[test]
    fn every_algorithm_of_a_profile_is_described() {
        let supported = Profile::pqc().supported;
        for alg in (0..=u8::MAX).map(|number| TpmAlgId(u16::from(number))) {
            let described = algorithms(&supported).any(|item| item.alg == alg);
            assert_eq!(described, supported.algorithms.contains(alg), "{alg:?}");
        }
    }
}
