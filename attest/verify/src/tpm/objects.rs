// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a believed key says about other things in its TPM: the contents of an NV index (`TPM2_NV_Certify`), and how an object was
//! created (`TPM2_CertifyCreation`).

use evtpm_crypto::constant_time_eq;
use evtpm_logs::{HashId, Hashes};
use evtpm_tpm_wire::{Rc, TpmuAttest};

use crate::UnixTime;
use crate::logs::CryptoHashes;
use crate::tpm::{Error, Freshness, Issued, QualifyingData, TrustedAk, attest};

/// The contents of an NV index, or a part of them.
///
/// Only [`TrustedAk::nv_contents`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NvContents {
    /// Where the part begins.
    pub offset: u16,
    /// The contents.
    pub contents: Vec<u8>,
    /// How fresh the certification is.
    pub freshness: Freshness,
}

impl TrustedAk {
    /// Verifies what the NV index with this Name holds, in answer to `nonce`.
    ///
    /// The Name has the index's attributes in it: whoever may write it, and whether it was written.
    pub fn nv_contents(
        &self,
        message: &[u8],
        signature: &[u8],
        index: &[u8],
        nonce: Issued<QualifyingData>,
        at: UnixTime,
    ) -> Result<NvContents, Error> {
        let (attest, freshness) = attest::verify(self.checked_by(), message, signature, attest::ATTEST_NV, nonce, at)?;
        let TpmuAttest::Nv(info) = &attest.attested else {
            return Err(Error::Malformed { what: "TPMS_NV_CERTIFY_INFO", code: Rc::SELECTOR });
        };
        check_name(info.index_name.as_bytes(), index)?;
        Ok(NvContents { offset: info.offset, contents: info.nv_contents.as_bytes().to_vec(), freshness })
    }

    /// Verifies that the object with this Name was created in this key's TPM, with these creation data (a `TPMS_CREATION_DATA`
    /// as it was marshalled), in answer to `nonce`.
    pub fn creation(
        &self,
        message: &[u8],
        signature: &[u8],
        (object, creation_data): (&[u8], &[u8]),
        nonce: Issued<QualifyingData>,
        at: UnixTime,
    ) -> Result<Freshness, Error> {
        let (attest, freshness) =
            attest::verify(self.checked_by(), message, signature, attest::ATTEST_CREATION, nonce, at)?;
        let TpmuAttest::Creation(info) = &attest.attested else {
            return Err(Error::Malformed { what: "TPMS_CREATION_INFO", code: Rc::SELECTOR });
        };
        check_name(info.object_name.as_bytes(), object)?;
        // Part 2, "TPMS_CREATION_INFO": "creationHash", by the object's nameAlg, which begins its Name.
        let expected = creation_hash(object, creation_data)
            .ok_or_else(|| Error::CreationHash { actual: info.creation_hash.as_bytes().to_vec() })?;
        if !constant_time_eq(&expected, info.creation_hash.as_bytes()) {
            return Err(Error::CreationHash { actual: info.creation_hash.as_bytes().to_vec() });
        }
        Ok(freshness)
    }
}

/// Checks that what came along has the certified Name.
pub(super) fn check_name(certified: &[u8], came_along: &[u8]) -> Result<(), Error> {
    if constant_time_eq(certified, came_along) {
        return Ok(());
    }
    Err(Error::CertifiedName { expected: certified.to_vec(), actual: came_along.to_vec() })
}

/// Hashes creation data with the algorithm that a Name begins with.
fn creation_hash(name: &[u8], creation_data: &[u8]) -> Option<Vec<u8>> {
    let (algorithm, _) = name.split_first_chunk::<2>()?;
    CryptoHashes.hash(HashId(u16::from_be_bytes(*algorithm)), &[creation_data]).map(|hash| hash.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::NOW;
    use crate::tpm::soft_tpm::SoftAk;

    const NONCE: &[u8] = b"nonce of a test.";

    fn sized(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    /// A Name: SHA-256, and a digest.
    fn name(fill: u8) -> Vec<u8> {
        [[0x00, 0x0B].as_slice(), &[fill; 32]].concat()
    }

    /// `TPMS_ATTEST` of a type with its last fields.
    fn message(kind: u16, attested: &[u8]) -> Vec<u8> {
        let mut message = 0xFF54_4347_u32.to_be_bytes().to_vec();
        message.extend(kind.to_be_bytes());
        message.extend(sized(&[0; 34]));
        message.extend(sized(NONCE));
        message.extend([0; 25]);
        message.extend(attested);
        message
    }

    fn contents(message: &[u8], index: &[u8], nonce: &[u8]) -> Result<NvContents, Error> {
        let ak = SoftAk::new();
        ak.trusted().nv_contents(message, &ak.sign(message), index, Issued::recorded(nonce), NOW)
    }

    #[test]
    fn certified_contents_are_those_of_the_index_with_the_name() {
        let attested = [sized(&name(7)), vec![0, 4], sized(b"a report")].concat();
        let good = message(0x8014, &attested);
        let expected = NvContents { offset: 4, contents: b"a report".to_vec(), freshness: Freshness::Recorded };
        assert_eq!(contents(&good, &name(7), NONCE), Ok(expected));
        assert!(matches!(contents(&good, &name(8), NONCE), Err(Error::CertifiedName { .. })));
        assert_eq!(contents(&good, &name(7), b"nonce of another"), Err(Error::Nonce));
        assert!(matches!(contents(&message(0x801A, &attested), &name(7), NONCE), Err(Error::AttestationType { .. })));
        assert!(matches!(contents(&good[..good.len() - 1], &name(7), NONCE), Err(Error::Malformed { .. })));
    }

    #[test]
    fn contents_that_another_key_certified_are_refused() {
        let good = message(0x8014, &[sized(&name(7)), vec![0, 0], sized(b"a report")].concat());
        let ak = SoftAk::new();
        let mut signature = ak.sign(&good);
        *signature.last_mut().unwrap() ^= 1;
        let verdict = ak.trusted().nv_contents(&good, &signature, &name(7), Issued::recorded(NONCE), NOW);
        assert!(matches!(verdict, Err(Error::Signature(_))));
    }

    #[test]
    fn a_creation_is_that_of_the_object_with_these_data() {
        let hash = CryptoHashes.hash(HashId::SHA256, &[b"creation data"]).unwrap();
        let good = message(0x801A, &[sized(&name(7)), sized(hash.as_bytes())].concat());
        let check = |object: &[u8], data: &[u8]| {
            let ak = SoftAk::new();
            ak.trusted().creation(&good, &ak.sign(&good), (object, data), Issued::recorded(NONCE), NOW)
        };
        assert_eq!(check(&name(7), b"creation data"), Ok(Freshness::Recorded));
        assert!(matches!(check(&name(7), b"other data"), Err(Error::CreationHash { .. })));
        assert!(matches!(check(&name(8), b"creation data"), Err(Error::CertifiedName { .. })));
    }
}
