// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_EncryptDecrypt` and `TPM2_EncryptDecrypt2`, one command with two orders of its parameters (Part 3,
//! "TPM2_EncryptDecrypt", "TPM2_EncryptDecrypt2").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_crypto::{BLOCK_SIZE, Crypto, Direction};
use evtpm_tpm_wire::commands::{
    EncryptDecrypt, EncryptDecrypt2, EncryptDecrypt2Handles, EncryptDecrypt2Response, EncryptDecryptHandles,
    EncryptDecryptResponse,
};
use evtpm_tpm_wire::{
    Buf, CipherMode, Handle, MAX_DIGEST_BUFFER, Overflow, PublicBody, Rc, SensitiveBody, Subject, SymMode,
    SymObjectAlg, Tpm2bIv, Tpm2bMaxBuffer, Tpm2bSymKey, TpmaObject,
};

impl Execute for EncryptDecrypt<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EncryptDecryptHandles) -> Result<EncryptDecryptResponse, Rc> {
        let request = Request {
            direction: if self.decrypt.is_yes() { Direction::Decrypt } else { Direction::Encrypt },
            mode: (self.mode, 2),
            iv: (self.iv_in, 3),
            data: (self.in_data, 4),
        };
        let (out_data, iv_out) = request.run(tpm, handles.key_handle.handle())?;
        Ok(EncryptDecryptResponse { out_data, iv_out })
    }
}

impl Execute for EncryptDecrypt2<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: EncryptDecrypt2Handles,
    ) -> Result<EncryptDecrypt2Response, Rc> {
        let request = Request {
            direction: if self.decrypt.is_yes() { Direction::Decrypt } else { Direction::Encrypt },
            mode: (self.mode, 3),
            iv: (self.iv_in, 4),
            data: (self.in_data, 1),
        };
        let (out_data, iv_out) = request.run(tpm, handles.key_handle.handle())?;
        Ok(EncryptDecrypt2Response { out_data, iv_out })
    }
}

/// What both commands ask for, each value with the number of its parameter.
struct Request<'a> {
    direction: Direction,
    mode: (Option<CipherMode>, u8),
    iv: (Tpm2bIv, u8),
    data: (Tpm2bMaxBuffer<'a>, u8),
}

impl Request<'_> {
    fn run<P: Platform>(&self, tpm: &Tpm<P>, handle: Handle) -> Result<(Buf<MAX_DIGEST_BUFFER>, Tpm2bIv), Rc> {
        let (key, own_mode) = self.key(tpm, handle).map_err(|rc| rc.at(Subject::Handle(1)))?;
        let (requested, mode_number) = self.mode;
        let mode = select_mode(own_mode, requested).ok_or(Rc::MODE.at(Subject::Parameter(mode_number)))?;
        let ((iv, iv_number), (data, data_number)) = (&self.iv, &self.data);
        // "the size of ivIn ... is required to be the block size of the cipher", and none for ECB
        let iv_size = if mode == evtpm_crypto::CipherMode::Ecb { 0 } else { BLOCK_SIZE };
        if iv.len() != iv_size {
            return Err(Rc::SIZE.at(Subject::Parameter(*iv_number)));
        }
        let whole_blocks = matches!(mode, evtpm_crypto::CipherMode::Cbc | evtpm_crypto::CipherMode::Ecb);
        if whole_blocks && data.len().checked_rem(BLOCK_SIZE) != Some(0) {
            return Err(Rc::SIZE.at(Subject::Parameter(*data_number)));
        }

        let mut chain = [0; BLOCK_SIZE];
        chain.iter_mut().zip(iv.as_bytes()).for_each(|(to, from)| *to = *from);
        let mut out = Buf::new(data.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        P::Crypto::cipher(key.as_bytes(), mode, self.direction, &mut chain, out.as_mut_bytes())
            .map_err(|_| Rc::KEY.at(Subject::Handle(1)))?;
        // "ivOut: chaining value to use for IV in next round"
        let iv_out = Tpm2bIv::new(chain.get(..iv_size).unwrap_or_default()).map_err(|Overflow| Rc::FAILURE)?;
        Ok((out, iv_out))
    }

    fn key<'t, P: Platform>(&self, tpm: &'t Tpm<P>, handle: Handle) -> Result<(&'t Tpm2bSymKey, Option<SymMode>), Rc> {
        let object = tpm.object(handle).ok_or(Rc::KEY)?;
        let secret = object.sensitive.as_ref().map(|sensitive| &sensitive.body);
        let (PublicBody::SymCipher { parms, .. }, Some(SensitiveBody::SymCipher(key))) = (&object.public.body, secret)
        else {
            return Err(Rc::KEY);
        };
        let needed = match self.direction {
            Direction::Decrypt => TpmaObject::DECRYPT,
            Direction::Encrypt => TpmaObject::SIGN,
        };
        if object.has(TpmaObject::RESTRICTED) || !object.has(needed) {
            return Err(Rc::ATTRIBUTES);
        }
        if parms.algorithm == SymObjectAlg::Aes { Ok((key, parms.mode)) } else { Err(Rc::KEY) }
    }
}

/// "If the mode of the key is not TPM_ALG_NULL, then that is the only mode that can be used with the key".
fn select_mode(own: Option<SymMode>, requested: Option<CipherMode>) -> Option<evtpm_crypto::CipherMode> {
    use evtpm_crypto::CipherMode as Mode;
    let requested = requested.map(|mode| match mode {
        CipherMode::Ctr => Mode::Ctr,
        CipherMode::Ofb => Mode::Ofb,
        CipherMode::Cbc => Mode::Cbc,
        CipherMode::Cfb => Mode::Cfb,
        CipherMode::Ecb => Mode::Ecb,
    });
    let own = match own {
        None => return requested,
        Some(SymMode::Ctr) => Mode::Ctr,
        Some(SymMode::Ofb) => Mode::Ofb,
        Some(SymMode::Cbc) => Mode::Cbc,
        Some(SymMode::Cfb) => Mode::Cfb,
        Some(SymMode::Ecb) => Mode::Ecb,
        // A MAC key enciphers nothing.
        Some(SymMode::Cmac) => return None,
    };
    if requested.is_none_or(|requested| requested == own) { Some(own) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::objects::{OWN, object, public};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::{Tpm2bDigest, TpmtPublic, TpmtSymDefObject, YesNo};

    fn template(attributes: TpmaObject, mode: Option<SymMode>) -> TpmtPublic {
        let parms = TpmtSymDefObject { mode, ..TpmtSymDefObject::AES_128_CFB };
        public(attributes, PublicBody::SymCipher { parms, unique: Tpm2bDigest::EMPTY })
    }

    fn with_key(attributes: TpmaObject, mode: Option<SymMode>) -> (TestTpm, Handle) {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let key = tpm.child(parent, template(attributes, mode), &[]);
        (tpm, key)
    }

    const BOTH: TpmaObject = OWN.with(TpmaObject::SIGN).with(TpmaObject::DECRYPT);

    /// The first form; every answer must be the second form's too.
    fn run(
        tpm: &mut TestTpm,
        key: Handle,
        decrypt: bool,
        mode: Option<CipherMode>,
        iv: &[u8],
        data: &[u8],
    ) -> Result<(Buf<MAX_DIGEST_BUFFER>, Tpm2bIv), Rc> {
        let (in_data, iv_in) = (Tpm2bMaxBuffer::new(data).unwrap(), Tpm2bIv::new(iv).unwrap());
        let decrypt = YesNo::from(decrypt);
        let first = EncryptDecrypt { decrypt, mode, iv_in, in_data };
        let second = EncryptDecrypt2 { in_data, decrypt, mode, iv_in };
        let first = tpm.send(&first, EncryptDecryptHandles { key_handle: object(key) });
        let second = tpm.send(&second, EncryptDecrypt2Handles { key_handle: object(key) });
        let first = first.map(|response| (response.out_data, response.iv_out));
        let second = second.map(|response| (response.out_data, response.iv_out));
        match (&first, &second) {
            (Ok(first), Ok(second)) => assert_eq!(first, second),
            (Err(first), Err(second)) => assert_eq!(first.base(), second.base()),
            (first, second) => panic!("{first:?} is not {second:?}"),
        }
        first
    }

    #[test]
    fn the_returned_iv_continues_the_chain() {
        // CVE-2021-3446 and CVE-2026-21444: the initial IV, or a wrong one, came back.
        let (mut tpm, key) = with_key(BOTH, None);
        let data: std::vec::Vec<u8> = (0..64).collect();
        for mode in [CipherMode::Cbc, CipherMode::Cfb, CipherMode::Ofb, CipherMode::Ctr] {
            let iv = [0xA5; 16];
            let (whole, last) = run(&mut tpm, key, false, Some(mode), &iv, &data).unwrap();
            let (first, chain) = run(&mut tpm, key, false, Some(mode), &iv, &data[..32]).unwrap();
            assert_ne!(chain.as_bytes(), iv, "{mode:?}");
            let (second, end) = run(&mut tpm, key, false, Some(mode), chain.as_bytes(), &data[32..]).unwrap();
            assert_eq!([first.as_bytes(), second.as_bytes()].concat(), whole.as_bytes(), "{mode:?}");
            assert_eq!(end, last, "{mode:?}");
            let (opened, chain) = run(&mut tpm, key, true, Some(mode), &iv, &whole.as_bytes()[..16]).unwrap();
            assert_eq!(opened.as_bytes(), &data[..16]);
            let (opened, end) =
                run(&mut tpm, key, true, Some(mode), chain.as_bytes(), &whole.as_bytes()[16..]).unwrap();
            assert_eq!((opened.as_bytes(), end), (&data[16..], last), "{mode:?}");
        }
    }

    #[test]
    fn ecb_has_no_iv() {
        let (mut tpm, key) = with_key(BOTH, None);
        let ecb = Some(CipherMode::Ecb);
        let (sealed, iv) = run(&mut tpm, key, false, ecb, &[], &[7; 32]).unwrap();
        assert_eq!((sealed.as_bytes()[..16] == sealed.as_bytes()[16..], iv.len()), (true, 0));
        assert_eq!(run(&mut tpm, key, false, ecb, &[0; 16], &[7; 32]), Err(Rc::SIZE.at(Subject::Parameter(3))));
    }

    #[test]
    fn wrong_sizes_name_their_parameters() {
        let (mut tpm, key) = with_key(BOTH, None);
        let cbc = Some(CipherMode::Cbc);
        for iv in [&[][..], &[0; 15]] {
            assert_eq!(run(&mut tpm, key, false, cbc, iv, &[7; 16]), Err(Rc::SIZE.at(Subject::Parameter(3))));
        }
        assert_eq!(run(&mut tpm, key, false, cbc, &[0; 16], &[7; 17]), Err(Rc::SIZE.at(Subject::Parameter(4))));
        run(&mut tpm, key, false, Some(CipherMode::Cfb), &[0; 16], &[7; 17]).unwrap();
        assert_eq!(run(&mut tpm, key, false, cbc, &[0; 16], &[]).unwrap().0.len(), 0);
    }

    #[test]
    fn the_mode_is_the_keys_or_else_the_callers() {
        let refused = Err(Rc::MODE.at(Subject::Parameter(2)));
        let (mut tpm, key) = with_key(BOTH, None);
        assert_eq!(run(&mut tpm, key, false, None, &[0; 16], &[7; 16]), refused);
        let (mut tpm, key) = with_key(BOTH, Some(SymMode::Ctr));
        assert_eq!(run(&mut tpm, key, false, Some(CipherMode::Cfb), &[0; 16], &[7; 16]), refused);
        let named = run(&mut tpm, key, false, Some(CipherMode::Ctr), &[0; 16], &[7; 16]).unwrap();
        assert_eq!(run(&mut tpm, key, false, None, &[0; 16], &[7; 16]), Ok(named));
    }

    #[test]
    fn each_direction_needs_its_attribute() {
        let refused = Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        let cfb = Some(SymMode::Cfb);
        for (attributes, decrypt) in [(TpmaObject::SIGN, true), (TpmaObject::DECRYPT, false)] {
            let (mut tpm, key) = with_key(OWN | attributes, cfb);
            assert_eq!(run(&mut tpm, key, decrypt, None, &[0; 16], &[7; 16]), refused);
            run(&mut tpm, key, !decrypt, None, &[0; 16], &[7; 16]).unwrap();
        }
        let (mut tpm, storage) = with_key(OWN | TpmaObject::DECRYPT | TpmaObject::RESTRICTED, cfb);
        assert_eq!(run(&mut tpm, storage, true, None, &[0; 16], &[7; 16]), refused);
    }

    #[test]
    fn only_a_symmetric_key_enciphers() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let refused = run(&mut tpm, parent, true, Some(CipherMode::Cfb), &[0; 16], &[7; 16]);
        assert_eq!(refused, Err(Rc::KEY.at(Subject::Handle(1))));
    }
}
