// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Object Commands", "Duplication Commands", "Context Management", and the making of primary objects.

use evtpm_client::{Auth, Object, SessionOptions};
use evtpm_crypto::RustCrypto;
use evtpm_protocol::PolicyDigest;
use evtpm_protocol::templates::{EkTemplate, attestation_key, storage_root_key};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::{
    Case, DECRYPTER, SEALED, SIGNER, Stage, cipher, context, ecc, keyed_hash, object, public, rsa, sensitive,
};

pub(crate) const CASES: &[Case] = &[
    Case { code: Cc::CREATE_PRIMARY, play: |stage| _ = make_primary(stage) },
    Case {
        code: Cc::CREATE,
        play: |stage| {
            let parent = stage.storage();
            for template in templates() {
                create(stage, &parent, template);
            }
        },
    },
    Case {
        code: Cc::LOAD,
        play: |stage| {
            let parent = stage.storage();
            let template = stage.dice.pick(&templates());
            let made = create(stage, &parent, template);
            load(stage, &parent, &made);
        },
    },
    Case { code: Cc::LOAD_EXTERNAL, play: load_external },
    Case {
        code: Cc::READ_PUBLIC,
        play: |stage| {
            for template in templates().into_iter().chain([storage_root_key(), attestation_key()]) {
                let made = stage.primary_with(template.clone(), &[], data_for(&template));
                stage.run(ReadPublicHandles { object_handle: object(made.object_handle) }, &ReadPublic {});
                stage.tpm.flush(made.object_handle).unwrap();
            }
        },
    },
    Case { code: Cc::MAKE_CREDENTIAL, play: |stage| _ = make_credential(stage) },
    Case {
        code: Cc::ACTIVATE_CREDENTIAL,
        play: |stage| {
            let (key, attestation, made) = make_credential(stage);
            let command = ActivateCredential {
                credential_blob: made.credential_blob,
                secret: Tpm2bEncryptedSecretIn::new(made.secret.as_bytes()).unwrap(),
            };
            let handles = ActivateCredentialHandles { activate_handle: attestation, key_handle: object(key.handle) };
            stage.run(handles, &command);
        },
    },
    Case {
        code: Cc::UNSEAL,
        play: |stage| {
            let data = stage.some::<128>(127);
            let data = [&[1][..], data.as_bytes()].concat();
            let sealed = stage.primary_with(keyed_hash(SEALED, None), b"secret", &data);
            let handles = UnsealHandles { item_handle: object(sealed.object_handle) };
            let unsealed = stage.run_as(handles, &Unseal {}, &[b"secret"]);
            assert_eq!(unsealed.out_data.as_bytes(), data);
        },
    },
    Case {
        code: Cc::OBJECT_CHANGE_AUTH,
        play: |stage| {
            let parent = stage.storage();
            let template = stage.dice.pick(&templates());
            let made = create(stage, &parent, template);
            let loaded = load(stage, &parent, &made);
            let handles = ObjectChangeAuthHandles { object_handle: loaded, parent_handle: object(parent.handle) };
            let new_auth = Tpm2bAuth::new(&stage.dice.bytes(16)).unwrap();
            stage.run(handles, &ObjectChangeAuth { new_auth });
        },
    },
    Case {
        code: Cc::CREATE_LOADED,
        play: |stage| {
            let parent = stage.storage();
            for parent_handle in [parent.handle, Handle::OWNER, Handle::NULL] {
                let template = stage.dice.pick(&templates());
                let mut bytes = [0; MAX_PUBLIC];
                let in_public = Tpm2bTemplate::new(template.to_bytes(&mut bytes).unwrap()).unwrap();
                let command = CreateLoaded { in_sensitive: sensitive(&[], data_for(&template)), in_public };
                let parent_handle = TpmiDhParent::new(parent_handle, &Supported::ALL).unwrap();
                stage.run(CreateLoadedHandles { parent_handle }, &command);
            }
        },
    },
    Case { code: Cc::DUPLICATE, play: |stage| _ = duplicate(stage) },
    Case {
        code: Cc::REWRAP,
        play: |stage| {
            let (old_parent, child, made, _) = duplicate(stage);
            let new_parent = stage.storage();
            let command = Rewrap {
                in_duplicate: Tpm2bPrivateIn::new(made.duplicate.as_bytes()).unwrap(),
                name: child.name,
                in_sym_seed: Tpm2bEncryptedSecretIn::new(made.out_sym_seed.as_bytes()).unwrap(),
            };
            let handles = RewrapHandles { old_parent, new_parent: Some(object(new_parent.handle)) };
            stage.run(handles, &command);
        },
    },
    Case {
        code: Cc::IMPORT,
        play: |stage| {
            let (new_parent, child, made, symmetric_alg) = duplicate(stage);
            // What was duplicated to nobody, anybody can import.
            let parent = new_parent.unwrap_or_else(|| object(stage.storage().handle));
            let command = Import {
                encryption_key: made.encryption_key_out,
                object_public: Tpm2b(child.public),
                duplicate: Tpm2bPrivateIn::new(made.duplicate.as_bytes()).unwrap(),
                in_sym_seed: Tpm2bEncryptedSecretIn::new(made.out_sym_seed.as_bytes()).unwrap(),
                symmetric_alg,
            };
            stage.run(ImportHandles { parent_handle: parent }, &command);
        },
    },
    Case { code: Cc::CONTEXT_SAVE, play: |stage| _ = save(stage) },
    Case {
        code: Cc::CONTEXT_LOAD,
        play: |stage| {
            let saved = save(stage);
            let context = TpmsContextIn {
                sequence: saved.sequence,
                saved_handle: saved.saved_handle,
                hierarchy: saved.hierarchy,
                context_blob: Bytes::new(saved.context_blob.as_bytes()).unwrap(),
            };
            stage.run((), &ContextLoad { context });
        },
    },
    Case {
        code: Cc::FLUSH_CONTEXT,
        play: |stage| {
            let key = stage.storage();
            stage.run((), &FlushContext { flush_handle: context(key.handle) });
            let (session, _) = stage.policy();
            stage.run((), &FlushContext { flush_handle: context(session.handle()) });
        },
    },
    Case {
        code: Cc::EVICT_CONTROL,
        play: |stage| {
            let key = stage.storage();
            let persistent_handle = TpmiDhPersistent::new(Handle(0x8100_0001), &Supported::ALL).unwrap();
            for handle in [key.handle, persistent_handle.handle()] {
                let handles = EvictControlHandles { auth: TpmiRhProvision::Owner, object_handle: object(handle) };
                stage.run(handles, &EvictControl { persistent_handle });
            }
        },
    },
];

/// One object of each kind that a caller can ask for.
fn templates() -> Vec<TpmtPublic> {
    vec![
        rsa(SIGNER, Some(TpmtRsaScheme::Rsapss(HashAlg::Sha256))),
        rsa(DECRYPTER, None),
        ecc(SIGNER, EccCurve::NistP256, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256))),
        ecc(DECRYPTER, EccCurve::NistP384, Some(TpmtEccScheme::Ecdh(HashAlg::Sha384))),
        cipher(128, Some(SymMode::Cfb)),
        keyed_hash(SIGNER, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256))),
        keyed_hash(SEALED, None),
    ]
}

/// Only sealed objects have data of the caller's.
fn data_for(template: &TpmtPublic) -> &'static [u8] {
    if template.object_attributes == SEALED { b"sealed" } else { &[] }
}

fn make_primary(stage: &mut Stage) -> CreatePrimaryResponse {
    let hierarchies =
        [TpmiRhHierarchy::Owner, TpmiRhHierarchy::Endorsement, TpmiRhHierarchy::Platform, TpmiRhHierarchy::Null];
    let template = stage.dice.pick(&templates());
    let command = CreatePrimary {
        in_sensitive: sensitive(b"auth", data_for(&template)),
        in_public: Tpm2b(template),
        outside_info: stage.some(66),
        creation_pcr: stage.selection(),
    };
    let primary_handle = stage.dice.pick(&hierarchies);
    stage.run(CreatePrimaryHandles { primary_handle }, &command)
}

fn create(stage: &mut Stage, parent: &Object, template: TpmtPublic) -> CreateResponse {
    let command = Create {
        in_sensitive: sensitive(&[], data_for(&template)),
        in_public: Tpm2b(template),
        outside_info: stage.some(66),
        creation_pcr: stage.selection(),
    };
    stage.run(CreateHandles { parent_handle: object(parent.handle) }, &command)
}

fn load(stage: &mut Stage, parent: &Object, made: &CreateResponse) -> TpmiDhObject {
    let in_private = Tpm2bPrivateIn::new(made.out_private.as_bytes()).unwrap();
    let command = Load { in_private, in_public: made.out_public.clone() };
    object(stage.run(LoadHandles { parent_handle: object(parent.handle) }, &command).object_handle)
}

fn load_external(stage: &mut Stage) {
    // A public key of another TPM, and an HMAC key of the caller's.
    let (key, _) = stage.signer();
    let hierarchy = TpmiRhHierarchy::Null;
    let in_public = Tpm2b(TpmtPublicPlus(key.public));
    stage.run((), &LoadExternal { in_private: Tpm2bSensitive(None), in_public, hierarchy });

    let (seed, secret) = (stage.dice.bytes(32), stage.dice.bytes(32));
    let unique = crate::stage::hashed(HashAlg::Sha256, &[&seed, &secret]);
    let body = PublicBody::KeyedHash { scheme: Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256)), unique };
    let attributes = TpmaObject::USER_WITH_AUTH.with(TpmaObject::SIGN);
    let sensitive = TpmtSensitive {
        auth_value: Tpm2bAuth::EMPTY,
        seed_value: Tpm2bAuth::new(&seed).unwrap(),
        body: SensitiveBody::KeyedHash(Tpm2bSensitiveData::new(&secret).unwrap()),
    };
    let in_public = Tpm2b(TpmtPublicPlus(public(attributes, body)));
    stage.run((), &LoadExternal { in_private: Tpm2bSensitive(Some(sensitive)), in_public, hierarchy });
}

/// A credential for an attestation key under an endorsement key.
fn make_credential(stage: &mut Stage) -> (Object, TpmiDhObject, MakeCredentialResponse) {
    // The high range has userWithAuth, so that its key is used by its authValue.
    let template = stage.dice.pick(&[EkTemplate::H1, EkTemplate::H2, EkTemplate::H3]);
    let key = stage.tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public()).unwrap();
    let attestation = stage.primary(&attestation_key());
    let length = 1 + stage.dice.below(32);
    let command = MakeCredential {
        credential: Tpm2bDigest::new(&stage.dice.bytes(length)).unwrap(),
        object_name: attestation.name,
    };
    let made = stage.run(MakeCredentialHandles { handle: object(key.handle) }, &command);
    (key, object(attestation.handle), made)
}

/// Duplicates a key to a new parent or to nobody; the policy that allows it is PolicyCommandCode alone.
fn duplicate(stage: &mut Stage) -> (Option<TpmiDhObject>, Object, DuplicateResponse, Option<TpmtSymDefObject>) {
    let policy = PolicyDigest::new(HashAlg::Sha256).unwrap().command_code::<RustCrypto>(Cc::DUPLICATE).to_wire();
    let attributes = SIGNER.without(TpmaObject::FIXED_TPM).without(TpmaObject::FIXED_PARENT);
    let scheme = Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256));
    let template = TpmtPublic { auth_policy: policy, ..ecc(attributes, EccCurve::NistP256, scheme) };
    let parent = stage.storage();
    let made = create(stage, &parent, template);
    let handle = load(stage, &parent, &made);
    let child = stage.tpm.object(handle.handle()).unwrap();

    let new_parent = stage.dice.pick(&[None, Some(())]).map(|()| object(stage.storage().handle));
    let symmetric_alg = stage.dice.pick(&[None, Some(TpmtSymDefObject::AES_128_CFB)]);
    let (mut session, _) = stage.policy_session(SessionOptions::POLICY);
    stage.tpm.policy_command_code(&session, Cc::DUPLICATE).unwrap();
    let handles = DuplicateHandles { object_handle: handle, new_parent_handle: new_parent };
    let command = Duplicate { encryption_key_in: Tpm2bData::EMPTY, symmetric_alg };
    let made = stage.tpm.run(handles, &command, &mut [Auth::session(&mut session)]).unwrap();
    (new_parent, child, made, symmetric_alg)
}

fn save(stage: &mut Stage) -> TpmsContext {
    let handle = match stage.dice.below(3) {
        0 => stage.policy().0.handle(),
        1 => stage.signer().0.handle,
        _ => {
            let command = HashSequenceStart { auth: Tpm2bAuth::EMPTY, hash_alg: Some(HashAlg::Sha256) };
            stage.run((), &command).sequence_handle
        }
    };
    stage.run(ContextSaveHandles { save_handle: context(handle) }, &ContextSave {}).context
}
