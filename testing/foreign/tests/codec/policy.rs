// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Session Commands", "Enhanced Authorization (EA) Commands".

use evtpm_client::{Session, SessionOptions};
use evtpm_protocol::handle_name;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::{Case, Stage, hashed, object};

pub(crate) const CASES: &[Case] = &[
    Case { code: Cc::START_AUTH_SESSION, play: start },
    Case {
        code: Cc::POLICY_RESTART,
        play: |stage| {
            let (_, session_handle) = stage.policy();
            stage.run(PolicyRestartHandles { session_handle }, &PolicyRestart {});
        },
    },
    Case { code: Cc::POLICY_SIGNED, play: signed },
    Case { code: Cc::POLICY_SECRET, play: |stage| _ = secret(stage) },
    Case {
        code: Cc::POLICY_TICKET,
        play: |stage| {
            let (policy_ref, made) = secret(stage);
            let (_, policy_session) = stage.policy_session(SessionOptions::POLICY);
            let command = PolicyTicket {
                timeout: made.timeout,
                cp_hash_a: Tpm2bDigest::EMPTY,
                policy_ref,
                auth_name: handle_name(Handle::OWNER),
                ticket: made.policy_ticket,
            };
            stage.run(PolicyTicketHandles { policy_session }, &command);
        },
    },
    Case {
        code: Cc::POLICY_OR,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let mut alternatives = vec![Tpm2bDigest::zeros(32).unwrap()];
            for _ in 0..1 + stage.dice.below(7) {
                alternatives.push(stage.digest(HashAlg::Sha256));
            }
            let p_hash_list = TpmlDigest::from_slice(&alternatives).unwrap();
            stage.run(PolicyOrHandles { policy_session }, &PolicyOr { p_hash_list });
        },
    },
    Case {
        code: Cc::POLICY_PCR,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let command = PolicyPcr { pcr_digest: Tpm2bDigest::EMPTY, pcrs: stage.selection() };
            stage.run(PolicyPcrHandles { policy_session }, &command);
        },
    },
    Case {
        code: Cc::POLICY_LOCALITY,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let locality = stage.dice.pick(&[TpmaLocality::ZERO, TpmaLocality::ZERO | TpmaLocality::THREE]);
            stage.run(PolicyLocalityHandles { policy_session }, &PolicyLocality { locality });
        },
    },
    Case {
        code: Cc::POLICY_NV,
        play: |stage| {
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::NONE, 16);
            let data = stage.dice.bytes(16);
            stage.fill(nv_index, &data);
            for operation in [TpmEo::Eq, TpmEo::UnsignedGe, TpmEo::SignedLe, TpmEo::BitSet] {
                let (session, policy_session) = stage.policy();
                let handles = PolicyNvHandles { auth_handle: stage.nv_auth(nv_index), nv_index, policy_session };
                let operand_b = Tpm2bOperand::new(&data[4..12]).unwrap();
                stage.run(handles, &PolicyNv { operand_b, offset: 4, operation });
                stage.tpm.end_session(session).unwrap();
            }
        },
    },
    Case {
        code: Cc::POLICY_COUNTER_TIMER,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let command = PolicyCounterTimer {
                operand_b: Tpm2bOperand::zeros(8).unwrap(),
                offset: 8,
                operation: TpmEo::UnsignedGe,
            };
            stage.run(PolicyCounterTimerHandles { policy_session }, &command);
        },
    },
    Case {
        code: Cc::POLICY_COMMAND_CODE,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let code = stage.dice.pick(&[Cc::SIGN, Cc::NV_READ, Cc::DUPLICATE]);
            stage.run(PolicyCommandCodeHandles { policy_session }, &PolicyCommandCode { code });
        },
    },
    Case {
        code: Cc::POLICY_PHYSICAL_PRESENCE,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            stage.run(PolicyPhysicalPresenceHandles { policy_session }, &PolicyPhysicalPresence {});
        },
    },
    Case {
        code: Cc::POLICY_CP_HASH,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let cp_hash_a = stage.digest(HashAlg::Sha256);
            stage.run(PolicyCpHashHandles { policy_session }, &PolicyCpHash { cp_hash_a });
        },
    },
    Case {
        code: Cc::POLICY_NAME_HASH,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let name_hash = stage.digest(HashAlg::Sha256);
            stage.run(PolicyNameHashHandles { policy_session }, &PolicyNameHash { name_hash });
        },
    },
    Case {
        code: Cc::POLICY_DUPLICATION_SELECT,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let command = PolicyDuplicationSelect {
                object_name: stage.storage().name,
                new_parent_name: stage.storage().name,
                include_object: stage.dice.pick(&[YesNo::No, YesNo::Yes]),
            };
            stage.run(PolicyDuplicationSelectHandles { policy_session }, &command);
        },
    },
    Case { code: Cc::POLICY_AUTHORIZE, play: authorize },
    Case {
        code: Cc::POLICY_AUTH_VALUE,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            stage.run(PolicyAuthValueHandles { policy_session }, &PolicyAuthValue {});
        },
    },
    Case {
        code: Cc::POLICY_PASSWORD,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            stage.run(PolicyPasswordHandles { policy_session }, &PolicyPassword {});
        },
    },
    Case {
        code: Cc::POLICY_GET_DIGEST,
        play: |stage| {
            let hash = stage.hash();
            let (_, policy_session) = stage.policy_session(SessionOptions { hash, ..SessionOptions::POLICY });
            stage.run(PolicyGetDigestHandles { policy_session }, &PolicyGetDigest {});
        },
    },
    Case {
        code: Cc::POLICY_NV_WRITTEN,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let written_set = stage.dice.pick(&[YesNo::No, YesNo::Yes]);
            stage.run(PolicyNvWrittenHandles { policy_session }, &PolicyNvWritten { written_set });
        },
    },
    Case {
        code: Cc::POLICY_TEMPLATE,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let template_hash = stage.digest(HashAlg::Sha256);
            stage.run(PolicyTemplateHandles { policy_session }, &PolicyTemplate { template_hash });
        },
    },
    Case {
        code: Cc::POLICY_AUTHORIZE_NV,
        play: |stage| {
            // The index holds the policy so far, which is none: zeros behind the algorithm.
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::NONE, 34);
            stage.fill(nv_index, &[&[0, 0x0B][..], &[0; 32]].concat());
            let (_, policy_session) = stage.policy();
            let handles = PolicyAuthorizeNvHandles { auth_handle: stage.nv_auth(nv_index), nv_index, policy_session };
            stage.run(handles, &PolicyAuthorizeNv {});
        },
    },
    Case {
        code: Cc::POLICY_CAPABILITY,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let command = PolicyCapability {
                operand_b: Tpm2bOperand::zeros(4).unwrap(),
                offset: 0,
                operation: TpmEo::UnsignedGe,
                capability: TpmCap::TpmProperties,
                property: TpmPt::PCR_COUNT.0,
            };
            stage.run(PolicyCapabilityHandles { policy_session }, &command);
        },
    },
    Case {
        code: Cc::POLICY_PARAMETERS,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let p_hash = stage.digest(HashAlg::Sha256);
            stage.run(PolicyParametersHandles { policy_session }, &PolicyParameters { p_hash });
        },
    },
    Case {
        code: Cc::POLICY_TRANSPORT_SPDM,
        play: |stage| {
            let (_, policy_session) = stage.policy();
            let command =
                PolicyTransportSpdm { req_key_name: stage.storage().name, tpm_key_name: stage.storage().name };
            stage.run(PolicyTransportSpdmHandles { policy_session }, &command);
        },
    },
];

/// Sessions of each kind: unsalted and unbound, and as the client makes them with a salt and a bind.
fn start(stage: &mut Stage) {
    let auth_hash = stage.hash();
    let symmetric = stage.dice.pick(&[
        None,
        Some(TpmtSymDef::Cipher(TpmtSymDefObject::AES_128_CFB)),
        Some(TpmtSymDef::Xor(HashAlg::Sha256)),
    ]);
    let command = StartAuthSession {
        nonce_caller: stage.digest(auth_hash),
        encrypted_salt: Tpm2bEncryptedSecretIn::new(&[]).unwrap(),
        session_type: stage.dice.pick(&[TpmSe::Hmac, TpmSe::Policy, TpmSe::Trial]),
        symmetric,
        auth_hash,
    };
    stage.run(StartAuthSessionHandles { tpm_key: None, bind: None }, &command);
    let salt = stage.storage();
    let bind = evtpm_client::Bind { handle: Handle::OWNER, auth_value: &[] };
    let options = SessionOptions { salt: Some(&salt), bind: Some(bind), ..SessionOptions::HMAC };
    stage.tpm.start_session(options).unwrap();
}

/// PolicySecret of the owner, with a ticket for later.
fn secret(stage: &mut Stage) -> (Tpm2bNonce, PolicySecretResponse) {
    let (session, policy_session) = stage.policy_session(SessionOptions::POLICY);
    let policy_ref = stage.some(64);
    let handles =
        PolicySecretHandles { auth_handle: TpmiDhEntity::new(Handle::OWNER, &Supported::ALL).unwrap(), policy_session };
    // "If expiration is negative, a ticket is returned"; the other way there is none.
    for expiration in [0, -1000] {
        let command =
            PolicySecret { nonce_tpm: Tpm2bNonce::EMPTY, cp_hash_a: Tpm2bDigest::EMPTY, policy_ref, expiration };
        let made = stage.run(handles, &command);
        if expiration < 0 {
            end(stage, session);
            return (policy_ref, made);
        }
    }
    unreachable!("one of the two has a ticket")
}

fn end(stage: &mut Stage, session: Session) {
    stage.tpm.end_session(session).unwrap();
}

fn signed(stage: &mut Stage) {
    let (key, scheme) = stage.signer();
    let (_, policy_session) = stage.policy();
    let policy_ref: Tpm2bNonce = stage.some(64);
    let expiration = stage.dice.pick(&[0, -1000]);
    // aHash = H(nonceTPM ‖ expiration ‖ cpHashA ‖ policyRef), the nonce and the hash being empty.
    let digest = hashed(scheme.hash_alg(), &[&i32::to_be_bytes(expiration), policy_ref.as_bytes()]);
    let auth = sign(stage, object(key.handle), digest);
    let command =
        PolicySigned { nonce_tpm: Tpm2bNonce::EMPTY, cp_hash_a: Tpm2bDigest::EMPTY, policy_ref, expiration, auth };
    stage.run(PolicySignedHandles { auth_object: object(key.handle), policy_session }, &command);
}

fn authorize(stage: &mut Stage) {
    // "H_aHashAlg", the hash of the key's Name, has to be one that the key's scheme signs.
    let (key, scheme) = loop {
        let (key, scheme) = stage.signer();
        if key.public.name_alg == Some(scheme.hash_alg()) {
            break (key, scheme);
        }
        stage.tpm.flush(key.handle).unwrap();
    };
    let (_, policy_session) = stage.policy();
    // What is approved is the policy so far, which is none.
    let approved_policy = Tpm2bDigest::zeros(32).unwrap();
    let policy_ref: Tpm2bNonce = stage.some(64);
    let digest = hashed(scheme.hash_alg(), &[approved_policy.as_bytes(), policy_ref.as_bytes()]);
    let key_handle = object(key.handle);
    let signature = sign(stage, key_handle, digest);
    let verified = stage.run(VerifySignatureHandles { key_handle }, &VerifySignature { digest, signature });
    let command =
        PolicyAuthorize { approved_policy, policy_ref, key_sign: key.name, check_ticket: verified.validation };
    stage.run(PolicyAuthorizeHandles { policy_session }, &command);
}

fn sign(stage: &mut Stage, key_handle: TpmiDhObject, digest: Tpm2bDigest) -> TpmtSignature {
    let command = Sign { digest, in_scheme: None, validation: TpmtTkHashcheck::NULL };
    stage.run(SignHandles { key_handle }, &command).signature
}
