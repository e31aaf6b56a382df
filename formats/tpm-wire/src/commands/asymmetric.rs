// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Asymmetric Primitives".
use crate::{
    Buf, Bytes, EccCurve, KeyExchangeAlg, MAX_DIGEST_BUFFER, MAX_RSA_KEY, Tpm2bData, Tpm2bDigest, Tpm2bEccPoint,
    Tpm2bKemCiphertext, Tpm2bKemCiphertextIn, Tpm2bMaxBuffer, Tpm2bPublicKeyRsa, Tpm2bSharedSecret, TpmiDhObject,
    TpmsAlgorithmDetailEcc, TpmtKdfScheme, TpmtRsaDecrypt, command,
};

command! {
    RSA_ENCRYPT [];
    handles RsaEncryptHandles {
        key_handle: TpmiDhObject,
    }
    /// Encrypts with an RSA public key (`TPM2_RSA_Encrypt`).
    command RsaEncrypt<'a> {
        message: Bytes<'a, MAX_RSA_KEY>,
        in_scheme: Option<TpmtRsaDecrypt>,
        label: Tpm2bData,
    }
    response RsaEncryptResponse {
        out_data: Tpm2bPublicKeyRsa,
    }
}

command! {
    RSA_DECRYPT [];
    handles RsaDecryptHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Decrypts with an RSA private key (`TPM2_RSA_Decrypt`).
    command RsaDecrypt<'a> {
        cipher_text: Bytes<'a, MAX_RSA_KEY>,
        in_scheme: Option<TpmtRsaDecrypt>,
        label: Tpm2bData,
    }
    response RsaDecryptResponse {
        message: Tpm2bPublicKeyRsa,
    }
}

command! {
    ECDH_KEY_GEN [];
    handles EcdhKeyGenHandles {
        key_handle: TpmiDhObject,
    }
    /// Makes an ephemeral key and a shared point (`TPM2_ECDH_KeyGen`).
    command EcdhKeyGen {}
    response EcdhKeyGenResponse {
        z_point: Tpm2bEccPoint,
        pub_point: Tpm2bEccPoint,
    }
}

command! {
    ECDH_ZGEN [];
    handles EcdhZGenHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Recovers a shared point with a static key (`TPM2_ECDH_ZGen`).
    command EcdhZGen {
        in_point: Tpm2bEccPoint,
    }
    response EcdhZGenResponse {
        out_point: Tpm2bEccPoint,
    }
}

command! {
    ECC_PARAMETERS [];
    /// Returns the parameters of a curve (`TPM2_ECC_Parameters`).
    command EccParameters {
        curve_id: EccCurve,
    }
    response EccParametersResponse {
        parameters: TpmsAlgorithmDetailEcc,
    }
}

command! {
    ZGEN_2PHASE [];
    handles ZGen2PhaseHandles {
        @user key_a: TpmiDhObject,
    }
    /// Completes a two-phase key exchange (`TPM2_ZGen_2Phase`).
    command ZGen2Phase {
        in_qs_b: Tpm2bEccPoint,
        in_qe_b: Tpm2bEccPoint,
        in_scheme: KeyExchangeAlg,
        counter: u16,
    }
    response ZGen2PhaseResponse {
        out_z1: Tpm2bEccPoint,
        out_z2: Tpm2bEccPoint,
    }
}

command! {
    ECC_ENCRYPT [];
    handles EccEncryptHandles {
        key_handle: TpmiDhObject,
    }
    /// Encrypts with an ECC public key (`TPM2_ECC_Encrypt`).
    command EccEncrypt<'a> {
        plain_text: Tpm2bMaxBuffer<'a>,
        in_scheme: Option<TpmtKdfScheme>,
    }
    response EccEncryptResponse {
        c1: Tpm2bEccPoint,
        c2: Buf<MAX_DIGEST_BUFFER>,
        c3: Tpm2bDigest,
    }
}

command! {
    ECC_DECRYPT [];
    handles EccDecryptHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Decrypts with an ECC private key (`TPM2_ECC_Decrypt`).
    command EccDecrypt<'a> {
        c1: Tpm2bEccPoint,
        c2: Tpm2bMaxBuffer<'a>,
        c3: Tpm2bDigest,
        in_scheme: Option<TpmtKdfScheme>,
    }
    response EccDecryptResponse {
        plain_text: Buf<MAX_DIGEST_BUFFER>,
    }
}

command! {
    ENCAPSULATE [];
    handles EncapsulateHandles {
        key_handle: TpmiDhObject,
    }
    /// Shares a fresh secret with the holder of a private key (`TPM2_Encapsulate`).
    command Encapsulate {}
    response EncapsulateResponse {
        shared_secret: Tpm2bSharedSecret,
        ciphertext: Tpm2bKemCiphertext,
    }
}

command! {
    DECAPSULATE [];
    handles DecapsulateHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Recovers a secret that was shared with a key (`TPM2_Decapsulate`).
    command Decapsulate<'a> {
        ciphertext: Tpm2bKemCiphertextIn<'a>,
    }
    response DecapsulateResponse {
        shared_secret: Tpm2bSharedSecret,
    }
}
