// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Non-volatile Storage".

use evtpm_client::{Auth, SessionOptions};
use evtpm_crypto::RustCrypto;
use evtpm_protocol::PolicyDigest;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::{Case, READ_AND_WRITE, Stage};

pub(crate) const CASES: &[Case] = &[
    Case {
        code: Cc::NV_DEFINE_SPACE,
        play: |stage| {
            stage.index(NvType::Ordinary, TpmaNv::WRITEDEFINE, 100);
            stage.index(NvType::Extend, TpmaNv::ORDERLY, 32);
        },
    },
    Case {
        code: Cc::NV_UNDEFINE_SPACE,
        play: |stage| {
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::NONE, 10);
            let nv_index = TpmiRhNvDefinedIndex::new(nv_index.handle(), &Supported::ALL).unwrap();
            let handles = NvUndefineSpaceHandles { auth_handle: TpmiRhProvision::Owner, nv_index };
            stage.run(handles, &NvUndefineSpace {});
        },
    },
    Case { code: Cc::NV_UNDEFINE_SPACE_SPECIAL, play: undefine_by_policy },
    Case {
        code: Cc::NV_READ_PUBLIC,
        play: |stage| {
            let nv_index = stage.index(NvType::Bits, TpmaNv::READ_STCLEAR, 8);
            stage.run(NvReadPublicHandles { nv_index }, &NvReadPublic {});
        },
    },
    Case {
        code: Cc::NV_DEFINE_SPACE2,
        play: |stage| {
            external_index(stage);
        },
    },
    Case {
        code: Cc::NV_READ_PUBLIC2,
        play: |stage| {
            let legacy = stage.index(NvType::Bits, TpmaNv::READ_STCLEAR, 8);
            for nv_index in [legacy, external_index(stage)] {
                stage.run(NvReadPublic2Handles { nv_index }, &NvReadPublic2 {});
            }
        },
    },
    Case {
        code: Cc::NV_WRITE,
        play: |stage| {
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::NONE, 1500);
            let data = stage.some::<1500>(1500);
            stage.fill(nv_index, data.as_bytes());
        },
    },
    Case {
        code: Cc::NV_READ,
        play: |stage| {
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::NONE, 1500);
            let data = stage.dice.bytes(1500);
            stage.fill(nv_index, &data);
            let (offset, size) = (stage.dice.below(400), stage.dice.below(1024));
            let handles = NvReadHandles { auth_handle: stage.nv_auth(nv_index), nv_index };
            let read = stage.run(handles, &NvRead { size: size as u16, offset: offset as u16 });
            assert_eq!(read.data.as_bytes(), &data[offset..offset + size]);
        },
    },
    Case {
        code: Cc::NV_INCREMENT,
        play: |stage| {
            let nv_index = stage.index(NvType::Counter, TpmaNv::NONE, 8);
            let auth_handle = stage.nv_auth(nv_index);
            stage.run(NvIncrementHandles { auth_handle, nv_index }, &NvIncrement {});
        },
    },
    Case {
        code: Cc::NV_EXTEND,
        play: |stage| {
            let nv_index = stage.index(NvType::Extend, TpmaNv::NONE, 0);
            let data = stage.some::<1024>(1024);
            let auth_handle = stage.nv_auth(nv_index);
            let command = NvExtend { data: Tpm2bMaxNvBuffer::new(data.as_bytes()).unwrap() };
            stage.run(NvExtendHandles { auth_handle, nv_index }, &command);
        },
    },
    Case {
        code: Cc::NV_SET_BITS,
        play: |stage| {
            let nv_index = stage.index(NvType::Bits, TpmaNv::NONE, 8);
            let auth_handle = stage.nv_auth(nv_index);
            let bits = stage.dice.number();
            stage.run(NvSetBitsHandles { auth_handle, nv_index }, &NvSetBits { bits });
        },
    },
    Case {
        code: Cc::NV_WRITE_LOCK,
        play: |stage| {
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::WRITE_STCLEAR, 10);
            let auth_handle = stage.nv_auth(nv_index);
            stage.run(NvWriteLockHandles { auth_handle, nv_index }, &NvWriteLock {});
        },
    },
    Case {
        code: Cc::NV_READ_LOCK,
        play: |stage| {
            let nv_index = stage.index(NvType::Ordinary, TpmaNv::READ_STCLEAR, 10);
            let auth_handle = stage.nv_auth(nv_index);
            stage.run(NvReadLockHandles { auth_handle, nv_index }, &NvReadLock {});
        },
    },
    Case {
        code: Cc::NV_GLOBAL_WRITE_LOCK,
        play: |stage| {
            stage.index(NvType::Ordinary, TpmaNv::GLOBALLOCK, 10);
            let auth_handle = stage.dice.pick(&[TpmiRhProvision::Owner, TpmiRhProvision::Platform]);
            stage.run(NvGlobalWriteLockHandles { auth_handle }, &NvGlobalWriteLock {});
        },
    },
    Case { code: Cc::NV_CHANGE_AUTH, play: change_auth },
    Case { code: Cc::NV_DEFINE_SPACE2, play: |stage| _ = define_external(stage) },
    Case {
        code: Cc::NV_READ_PUBLIC2,
        play: |stage| {
            let ordinary = stage.index(NvType::Ordinary, TpmaNv::NONE, 10);
            for nv_index in [ordinary, define_external(stage)] {
                stage.run(NvReadPublic2Handles { nv_index }, &NvReadPublic2 {});
            }
        },
    },
];

/// Defines an external index.
fn external_index(stage: &mut Stage) -> TpmiRhNvIndex {
    let handle = Handle(0x1150_0000 + stage.dice.below(0x1_0000) as u32);
    let public = TpmsNvPublicExpAttr {
        nv_index: TpmiRhNvExpIndex::new(handle, &Supported::ALL).unwrap(),
        name_alg: HashAlg::Sha256,
        attributes: READ_AND_WRITE.into(),
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: 100,
    };
    let command = NvDefineSpace2 { auth: Tpm2bAuth::EMPTY, public_info: Tpm2b(TpmtNvPublic2::ExternalNv(public)) };
    stage.run(NvDefineSpace2Handles { auth_handle: TpmiRhProvision::Owner }, &command);
    TpmiRhNvIndex::new(handle, &Supported::ALL).unwrap()
}

/// Undefines an index that only its policy deletes.
fn undefine_by_policy(stage: &mut Stage) {
    let policy = only(Cc::NV_UNDEFINE_SPACE_SPECIAL);
    let attributes = READ_AND_WRITE.with(TpmaNv::PLATFORMCREATE).with(TpmaNv::POLICY_DELETE);
    let nv_index = stage.define(TpmiRhProvision::Platform, HashAlg::Sha256, attributes, policy, 10);
    let (mut session, _) = stage.policy_session(SessionOptions::POLICY);
    stage.tpm.policy_command_code(&session, Cc::NV_UNDEFINE_SPACE_SPECIAL).unwrap();
    let handles = NvUndefineSpaceSpecialHandles {
        nv_index: TpmiRhNvDefinedIndex::new(nv_index.handle(), &Supported::ALL).unwrap(),
        platform: TpmiRhPlatform::Platform,
    };
    stage.tpm.run(handles, &NvUndefineSpaceSpecial {}, &mut [Auth::session(&mut session), Auth::EMPTY]).unwrap();
}

/// Changes the authValue of an index whose policy allows it.
fn change_auth(stage: &mut Stage) {
    let policy = only(Cc::NV_CHANGE_AUTH);
    let nv_index = stage.define(TpmiRhProvision::Owner, HashAlg::Sha256, READ_AND_WRITE, policy, 10);
    let (mut session, _) = stage.policy_session(SessionOptions::POLICY);
    stage.tpm.policy_command_code(&session, Cc::NV_CHANGE_AUTH).unwrap();
    let command = NvChangeAuth { new_auth: Tpm2bAuth::new(&stage.dice.bytes(20)).unwrap() };
    stage.tpm.run(NvChangeAuthHandles { nv_index }, &command, &mut [Auth::session(&mut session)]).unwrap();
}

/// The policy that one command satisfies.
fn only(code: Cc) -> Tpm2bDigest {
    PolicyDigest::new(HashAlg::Sha256).unwrap().command_code::<RustCrypto>(code).to_wire()
}

/// Defines an index in external memory, whose attributes have 64 bits.
fn define_external(stage: &mut Stage) -> TpmiRhNvIndex {
    let handle = Handle(0x1100_0000 + stage.dice.below(0x1_0000) as u32);
    let public = TpmsNvPublicExpAttr {
        nv_index: TpmiRhNvExpIndex::new(handle, &Supported::ALL).unwrap(),
        name_alg: HashAlg::Sha256,
        attributes: READ_AND_WRITE.into(),
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: 8,
    };
    let command = NvDefineSpace2 { auth: Tpm2bAuth::EMPTY, public_info: Tpm2b(TpmtNvPublic2::ExternalNv(public)) };
    stage.run(NvDefineSpace2Handles { auth_handle: TpmiRhProvision::Owner }, &command);
    TpmiRhNvIndex::new(handle, &Supported::ALL).unwrap()
}
