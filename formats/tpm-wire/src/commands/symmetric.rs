// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Symmetric Primitives".
use crate::{
    Buf, CipherMode, HashAlg, MAX_DIGEST_BUFFER, MacAlg, Tpm2bDigest, Tpm2bIv, Tpm2bMaxBuffer, TpmiDhObject,
    TpmiRhHierarchy, TpmtTkHashcheck, YesNo, command,
};

command! {
    ENCRYPT_DECRYPT [];
    handles EncryptDecryptHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Encrypts or decrypts with a symmetric key (`TPM2_EncryptDecrypt`).
    command EncryptDecrypt<'a> {
        decrypt: YesNo,
        mode: Option<CipherMode>,
        iv_in: Tpm2bIv,
        in_data: Tpm2bMaxBuffer<'a>,
    }
    response EncryptDecryptResponse {
        out_data: Buf<MAX_DIGEST_BUFFER>,
        iv_out: Tpm2bIv,
    }
}

command! {
    ENCRYPT_DECRYPT2 [];
    handles EncryptDecrypt2Handles {
        @user key_handle: TpmiDhObject,
    }
    /// Encrypts or decrypts with a symmetric key, with the data as first parameter (`TPM2_EncryptDecrypt2`).
    command EncryptDecrypt2<'a> {
        in_data: Tpm2bMaxBuffer<'a>,
        decrypt: YesNo,
        mode: Option<CipherMode>,
        iv_in: Tpm2bIv,
    }
    response EncryptDecrypt2Response {
        out_data: Buf<MAX_DIGEST_BUFFER>,
        iv_out: Tpm2bIv,
    }
}

command! {
    HASH [];
    /// Hashes a buffer (`TPM2_Hash`).
    command Hash<'a> {
        data: Tpm2bMaxBuffer<'a>,
        hash_alg: HashAlg,
        hierarchy: TpmiRhHierarchy,
    }
    response HashResponse {
        out_hash: Tpm2bDigest,
        validation: TpmtTkHashcheck,
    }
}

command! {
    HMAC [];
    handles HmacHandles {
        @user handle: TpmiDhObject,
    }
    /// Makes the HMAC of a buffer (`TPM2_HMAC`).
    command Hmac<'a> {
        buffer: Tpm2bMaxBuffer<'a>,
        hash_alg: Option<HashAlg>,
    }
    response HmacResponse {
        out_hmac: Tpm2bDigest,
    }
}

command! {
    MAC [];
    handles MacHandles {
        @user handle: TpmiDhObject,
    }
    /// Makes the MAC of a buffer (`TPM2_MAC`).
    command Mac<'a> {
        buffer: Tpm2bMaxBuffer<'a>,
        in_scheme: Option<MacAlg>,
    }
    response MacResponse {
        out_mac: Tpm2bDigest,
    }
}
