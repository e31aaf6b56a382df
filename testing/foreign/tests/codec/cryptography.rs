// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Asymmetric Primitives", "Symmetric Primitives", "Hash/HMAC/Event Sequences", "Signing and Verification".

use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::{Case, DECRYPTER, SIGNER, Stage, cipher, ecc, keyed_hash, object, rsa};

pub(crate) const CASES: &[Case] = &[
    Case { code: Cc::RSA_ENCRYPT, play: |stage| _ = rsa_encrypt(stage) },
    Case {
        code: Cc::RSA_DECRYPT,
        play: |stage| {
            let (key_handle, cipher_text, in_scheme) = rsa_encrypt(stage);
            let cipher_text = Bytes::new(cipher_text.as_bytes()).unwrap();
            let command = RsaDecrypt { cipher_text, in_scheme, label: Tpm2bData::new(b"label\0").unwrap() };
            stage.run(RsaDecryptHandles { key_handle }, &command);
        },
    },
    Case {
        code: Cc::ECDH_KEY_GEN,
        play: |stage| {
            let key_handle = exchange_key(stage);
            stage.run(EcdhKeyGenHandles { key_handle }, &EcdhKeyGen {});
        },
    },
    Case {
        code: Cc::ECDH_ZGEN,
        play: |stage| {
            let key_handle = exchange_key(stage);
            let made = stage.run(EcdhKeyGenHandles { key_handle }, &EcdhKeyGen {});
            let zed = stage.run(EcdhZGenHandles { key_handle }, &EcdhZGen { in_point: made.pub_point });
            assert_eq!(zed.out_point, made.z_point);
        },
    },
    Case {
        code: Cc::ECC_PARAMETERS,
        play: |stage| {
            for curve_id in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521] {
                stage.run((), &EccParameters { curve_id });
            }
        },
    },
    Case { code: Cc::ECC_ENCRYPT, play: |stage| _ = ecc_encrypt(stage) },
    Case {
        code: Cc::ECC_DECRYPT,
        play: |stage| {
            let (key_handle, made) = ecc_encrypt(stage);
            let c2 = Tpm2bMaxBuffer::new(made.c2.as_bytes()).unwrap();
            let command = EccDecrypt { c1: made.c1, c2, c3: made.c3, in_scheme: KDF2 };
            stage.run(EccDecryptHandles { key_handle }, &command);
        },
    },
    Case {
        code: Cc::EC_EPHEMERAL,
        play: |stage| {
            for curve_id in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521] {
                stage.run((), &EcEphemeral { curve_id });
            }
        },
    },
    Case {
        code: Cc::ZGEN_2PHASE,
        play: |stage| {
            let key_a = exchange_key(stage);
            let curve_id = curve_of(stage, key_a);
            // Whoever is at the other end sends two points of this curve.
            let [in_qs_b, in_qe_b] =
                [(); 2].map(|()| stage.run(EcdhKeyGenHandles { key_handle: key_a }, &EcdhKeyGen {}).pub_point);
            let counter = stage.run((), &EcEphemeral { curve_id }).counter;
            let command = ZGen2Phase { in_qs_b, in_qe_b, in_scheme: KeyExchangeAlg::Ecdh, counter };
            stage.run(ZGen2PhaseHandles { key_a }, &command);
        },
    },
    Case {
        code: Cc::COMMIT,
        play: |stage| {
            let curve = stage.dice.pick(&[EccCurve::NistP256, EccCurve::NistP384]);
            let scheme = TpmsSchemeEcdaa { hash_alg: HashAlg::Sha256, count: 0 };
            let key = stage.primary(&ecc(SIGNER, curve, Some(TpmtEccScheme::Ecdaa(scheme))));
            let command = Commit {
                p1: Tpm2b(TpmsEccPoint::default()),
                s2: Tpm2bSensitiveData::EMPTY,
                y2: Tpm2bEccParameter::EMPTY,
            };
            stage.run(CommitHandles { sign_handle: object(key.handle) }, &command);
        },
    },
    Case {
        code: Cc::MAC,
        play: |stage| {
            let data = stage.some::<1024>(1024);
            let template = TpmtPublic { object_attributes: SIGNER, ..cipher(128, Some(SymMode::Cmac)) };
            let key = stage.primary(&template);
            let in_scheme = stage.dice.pick(&[None, Some(MacAlg::Cmac)]);
            let command = Mac { buffer: Bytes::new(data.as_bytes()).unwrap(), in_scheme };
            stage.run(MacHandles { handle: object(key.handle) }, &command);
        },
    },
    Case {
        code: Cc::ENCRYPT_DECRYPT,
        play: |stage| {
            let (key_handle, mode, iv_in, data) = block_cipher(stage);
            let decrypt = stage.dice.pick(&[YesNo::No, YesNo::Yes]);
            let command = EncryptDecrypt { decrypt, mode, iv_in, in_data: Bytes::new(&data).unwrap() };
            stage.run(EncryptDecryptHandles { key_handle }, &command);
        },
    },
    Case {
        code: Cc::ENCRYPT_DECRYPT2,
        play: |stage| {
            let (key_handle, mode, iv_in, data) = block_cipher(stage);
            let decrypt = stage.dice.pick(&[YesNo::No, YesNo::Yes]);
            let command = EncryptDecrypt2 { in_data: Bytes::new(&data).unwrap(), decrypt, mode, iv_in };
            stage.run(EncryptDecrypt2Handles { key_handle }, &command);
        },
    },
    Case {
        code: Cc::HASH,
        play: |stage| {
            let hash_alg = stage.hash();
            hash(stage, hash_alg);
        },
    },
    Case {
        code: Cc::HMAC,
        play: |stage| {
            let data = stage.some::<1024>(1024);
            let hash_alg = stage.hash();
            let key = stage.primary(&keyed_hash(SIGNER, Some(TpmtKeyedhashScheme::Hmac(hash_alg))));
            let hash_alg = stage.dice.pick(&[None, Some(hash_alg)]);
            let command = Hmac { buffer: Bytes::new(data.as_bytes()).unwrap(), hash_alg };
            stage.run(HmacHandles { handle: object(key.handle) }, &command);
        },
    },
    Case { code: Cc::HMAC_START, play: |stage| _ = hmac_start(stage) },
    Case { code: Cc::HASH_SEQUENCE_START, play: |stage| _ = hash_start(stage, Some(HashAlg::Sha384)) },
    Case {
        code: Cc::SEQUENCE_UPDATE,
        play: |stage| {
            let sequence = hmac_start(stage);
            update(stage, sequence);
        },
    },
    Case {
        code: Cc::SEQUENCE_COMPLETE,
        play: |stage| {
            let hash_alg = stage.hash();
            let sequences = [hmac_start(stage), hash_start(stage, Some(hash_alg))];
            for sequence_handle in sequences {
                update(stage, sequence_handle);
                let buffer = stage.some::<1024>(1024);
                let hierarchy = stage.dice.pick(&[TpmiRhHierarchy::Owner, TpmiRhHierarchy::Null]);
                let command = SequenceComplete { buffer: Bytes::new(buffer.as_bytes()).unwrap(), hierarchy };
                stage.run_as(SequenceCompleteHandles { sequence_handle }, &command, &[SEQUENCE_AUTH]);
            }
        },
    },
    Case {
        code: Cc::EVENT_SEQUENCE_COMPLETE,
        play: |stage| {
            for pcr_handle in [None, Some(PcrIndex::Pcr8)] {
                let sequence_handle = hash_start(stage, None);
                update(stage, sequence_handle);
                let handles = EventSequenceCompleteHandles { pcr_handle, sequence_handle };
                let command = EventSequenceComplete { buffer: Bytes::new(b"event").unwrap() };
                stage.run_as(handles, &command, &[&[], SEQUENCE_AUTH]);
            }
        },
    },
    Case { code: Cc::SIGN, play: |stage| _ = sign(stage) },
    Case {
        code: Cc::VERIFY_SIGNATURE,
        play: |stage| {
            let (key_handle, digest, signature) = sign(stage);
            stage.run(VerifySignatureHandles { key_handle }, &VerifySignature { digest, signature });
        },
    },
];

const SEQUENCE_AUTH: &[u8] = b"sequence";

fn rsa_encrypt(stage: &mut Stage) -> (TpmiDhObject, Tpm2bPublicKeyRsa, Option<TpmtRsaDecrypt>) {
    let key = stage.primary(&rsa(DECRYPTER, None));
    let schemes = [TpmtRsaDecrypt::Rsaes, TpmtRsaDecrypt::Oaep(HashAlg::Sha1), TpmtRsaDecrypt::Oaep(HashAlg::Sha256)];
    let in_scheme = Some(stage.dice.pick(&schemes));
    let message = stage.some::<128>(128);
    let label = Tpm2bData::new(b"label\0").unwrap();
    let command = RsaEncrypt { message: Bytes::new(message.as_bytes()).unwrap(), in_scheme, label };
    let key_handle = object(key.handle);
    (key_handle, stage.run(RsaEncryptHandles { key_handle }, &command).out_data, in_scheme)
}

fn exchange_key(stage: &mut Stage) -> TpmiDhObject {
    let curve = stage.dice.pick(&[EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521]);
    object(stage.primary(&ecc(DECRYPTER, curve, Some(TpmtEccScheme::Ecdh(HashAlg::Sha256)))).handle)
}

const KDF2: Option<TpmtKdfScheme> = Some(TpmtKdfScheme::Kdf2(HashAlg::Sha256));

fn ecc_encrypt(stage: &mut Stage) -> (TpmiDhObject, EccEncryptResponse) {
    let curve = stage.dice.pick(&[EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521]);
    let key_handle = object(stage.primary(&ecc(DECRYPTER, curve, None)).handle);
    let message = stage.some::<1024>(1024);
    let command = EccEncrypt { plain_text: Tpm2bMaxBuffer::new(message.as_bytes()).unwrap(), in_scheme: KDF2 };
    (key_handle, stage.run(EccEncryptHandles { key_handle }, &command))
}

fn curve_of(stage: &mut Stage, key: TpmiDhObject) -> EccCurve {
    match stage.tpm.object(key.handle()).unwrap().public.body {
        PublicBody::Ecc { parms, .. } => parms.curve_id,
        other => panic!("{other:?}"),
    }
}

fn block_cipher(stage: &mut Stage) -> (TpmiDhObject, Option<CipherMode>, Tpm2bIv, Vec<u8>) {
    let (of_key, of_command) = stage.dice.pick(&[
        (Some(SymMode::Cfb), None),
        (Some(SymMode::Ctr), Some(CipherMode::Ctr)),
        (None, Some(CipherMode::Ofb)),
        (None, Some(CipherMode::Cbc)),
        (None, Some(CipherMode::Ecb)),
    ]);
    let key_bits = stage.dice.pick(&[128, 192, 256]);
    let key = stage.primary(&cipher(key_bits, of_key));
    let blocks = 1 + stage.dice.below(64);
    let is_ecb = of_command == Some(CipherMode::Ecb);
    let iv = if is_ecb { Tpm2bIv::EMPTY } else { Tpm2bIv::new(&stage.dice.bytes(16)).unwrap() };
    (object(key.handle), of_command, iv, stage.dice.bytes(16 * blocks))
}

fn hash(stage: &mut Stage, hash_alg: HashAlg) -> HashResponse {
    let data = stage.some::<1024>(1024);
    let hierarchy = stage.dice.pick(&[TpmiRhHierarchy::Owner, TpmiRhHierarchy::Null, TpmiRhHierarchy::Endorsement]);
    stage.run((), &Hash { data: Bytes::new(data.as_bytes()).unwrap(), hash_alg, hierarchy })
}

fn hmac_start(stage: &mut Stage) -> TpmiDhObject {
    let key = stage.primary(&keyed_hash(SIGNER, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256))));
    let hash_alg = stage.dice.pick(&[None, Some(HashAlg::Sha256)]);
    let command = HmacStart { auth: Tpm2bAuth::new(SEQUENCE_AUTH).unwrap(), hash_alg };
    object(stage.run(HmacStartHandles { handle: object(key.handle) }, &command).sequence_handle)
}

fn hash_start(stage: &mut Stage, hash_alg: Option<HashAlg>) -> TpmiDhObject {
    let command = HashSequenceStart { auth: Tpm2bAuth::new(SEQUENCE_AUTH).unwrap(), hash_alg };
    object(stage.run((), &command).sequence_handle)
}

fn update(stage: &mut Stage, sequence_handle: TpmiDhObject) {
    let buffer = stage.some::<1024>(1024);
    let command = SequenceUpdate { buffer: Bytes::new(buffer.as_bytes()).unwrap() };
    stage.run_as(SequenceUpdateHandles { sequence_handle }, &command, &[SEQUENCE_AUTH]);
}

fn sign(stage: &mut Stage) -> (TpmiDhObject, Tpm2bDigest, TpmtSignature) {
    let (key, scheme) = stage.signer();
    let hashed = hash(stage, scheme.hash_alg());
    let in_scheme = stage.dice.pick(&[None, Some(scheme)]);
    let validation = stage.dice.pick(&[TpmtTkHashcheck::NULL, hashed.validation]);
    let key_handle = object(key.handle);
    let command = Sign { digest: hashed.out_hash, in_scheme, validation };
    let signature = stage.run(SignHandles { key_handle }, &command).signature;
    (key_handle, hashed.out_hash, signature)
}
