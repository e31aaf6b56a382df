// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_Certify` (Part 3, "TPM2_NV_Certify").

use super::attest::Signer;
use crate::algorithm;
use crate::commands::Execute;
use crate::memory::{Blob, OutOfMemory};
use crate::{Platform, Tpm, name};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{NvCertify, NvCertifyHandles, NvCertifyResponse};
use evtpm_tpm_wire::{
    MAX_NV_BUFFER, Overflow, Rc, Subject, Tpm2bDigest, Tpm2bMaxNvBuffer, TpmsNvCertifyInfo, TpmsNvDigestCertifyInfo,
    TpmuAttest,
};

impl Execute for NvCertify {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvCertifyHandles) -> Result<NvCertifyResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 1), (self.in_scheme, 2))?;
        let index = tpm.nv_readable(handles.auth_handle, handles.nv_index)?;
        // "If offset and size add to a value that is greater than the dataSize field": TPM_RC_NV_RANGE
        let (start, size) = (usize::from(self.offset), usize::from(self.size));
        let selected = index.data.as_slice().get(start..start.saturating_add(size)).ok_or(Rc::NV_RANGE)?;
        if usize::from(self.size) > MAX_NV_BUFFER {
            return Err(Rc::VALUE.at(Subject::Parameter(3)));
        }

        let index_name = name::of_nv_index::<P::Crypto>(&index.public);
        let contents;
        let attested = if self.size == 0 && self.offset == 0 {
            // "The digest ... is created using the hash algorithm of the selected signing scheme", without one TPM_RC_SCHEME
            let alg = signer.hash(tpm).and_then(algorithm::hash).ok_or(Rc::SCHEME.at(Subject::Parameter(2)))?;
            let digest = P::Crypto::hash(alg, &[index.data.as_slice()]);
            let nv_digest = Tpm2bDigest::new(digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
            TpmuAttest::NvDigest(TpmsNvDigestCertifyInfo { index_name, nv_digest })
        } else {
            contents = Blob::copy_of(selected).map_err(|OutOfMemory| Rc::MEMORY)?;
            let nv_contents = Tpm2bMaxNvBuffer::new(contents.as_slice()).map_err(|Overflow| Rc::NV_RANGE)?;
            TpmuAttest::Nv(TpmsNvCertifyInfo { index_name, offset: self.offset, nv_contents })
        };
        let (certify_info, signature) = tpm.attest(&signer, &self.qualifying_data, attested)?;

        Ok(NvCertifyResponse { certify_info, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, nv, nv_auth, with_index, write};
    use crate::testing::TestCrypto;
    use crate::testing::TestTpm;
    use crate::testing::objects::object;
    use evtpm_protocol::templates::attestation_key;
    use evtpm_protocol::verify_signature;
    use evtpm_tpm_wire::{
        Handle, HashAlg, NvType, Supported, Tpm2bData, TpmsAttest, TpmtPublic, TpmtSigScheme, from_bytes,
    };

    fn certify(
        tpm: &mut TestTpm,
        key: Option<Handle>,
        in_scheme: Option<TpmtSigScheme>,
        (size, offset): (u16, u16),
    ) -> Result<NvCertifyResponse, Rc> {
        let command = NvCertify { qualifying_data: Tpm2bData::EMPTY, in_scheme, size, offset };
        let handles =
            NvCertifyHandles { sign_handle: key.map(object), auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
        tpm.send(&command, handles)
    }

    fn with_key() -> (TestTpm, Handle, TpmtPublic) {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        let parent = tpm.storage_root();
        let made = tpm.create(parent, attestation_key(), &[], &[]).unwrap();
        let key = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
        (tpm, key, made.out_public.0)
    }

    fn attested<'a>(key: &TpmtPublic, certified: &'a NvCertifyResponse) -> TpmuAttest<'a> {
        let digest = TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[certified.certify_info.as_bytes()]);
        let signature = certified.signature.as_ref().unwrap();
        verify_signature::<TestCrypto>(key, digest.as_bytes(), signature).unwrap();
        from_bytes::<TpmsAttest<'_>>(certified.certify_info.as_bytes(), &Supported::ALL).unwrap().attested
    }

    #[test]
    fn a_part_of_an_index_is_certified_with_its_offset() {
        let (mut tpm, key, public) = with_key();
        write(&mut tpm, Handle::OWNER, b"", b"12345678", 0).unwrap();
        let certified = certify(&mut tpm, Some(key), None, (3, 5)).unwrap();
        let TpmuAttest::Nv(info) = attested(&public, &certified) else { panic!("contents") };
        assert_eq!((info.offset, info.nv_contents.as_bytes()), (5, &b"678"[..]));
        assert_eq!(info.index_name, tpm.entity_name(INDEX));
    }

    #[test]
    fn size_and_offset_zero_certify_the_digest_of_all() {
        let (mut tpm, key, public) = with_key();
        write(&mut tpm, Handle::OWNER, b"", b"12345678", 0).unwrap();
        let certified = certify(&mut tpm, Some(key), None, (0, 0)).unwrap();
        let TpmuAttest::NvDigest(info) = attested(&public, &certified) else { panic!("a digest") };
        let expected = TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[b"12345678"]);
        assert_eq!(info.nv_digest.as_bytes(), expected.as_bytes());
        assert_eq!(certify(&mut tpm, None, None, (0, 0)), Err(Rc::SCHEME.at(Subject::Parameter(2))));
        let hash = Some(TpmtSigScheme::Ecdsa(HashAlg::Sha384));
        assert_eq!(certify(&mut tpm, None, hash, (0, 0)).unwrap().signature, None);
    }

    #[test]
    fn nothing_unwritten_and_nothing_behind_the_end_is_certified() {
        let (mut tpm, key, _) = with_key();
        assert_eq!(certify(&mut tpm, Some(key), None, (0, 0)), Err(Rc::NV_UNINITIALIZED));
        write(&mut tpm, Handle::OWNER, b"", b"1", 0).unwrap();
        for range in [(9, 0), (1, 8), (1, u16::MAX), (2049, 0)] {
            assert_eq!(certify(&mut tpm, Some(key), None, range), Err(Rc::NV_RANGE));
        }
    }
}
