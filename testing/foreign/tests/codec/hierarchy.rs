// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Hierarchy Commands", "Dictionary Attack Functions", "Miscellaneous Management Functions", "Command Audit".

use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::Case;

const PLATFORM: TpmiRhPlatform = TpmiRhPlatform::Platform;

pub(crate) const CASES: &[Case] = &[
    Case {
        code: Cc::HIERARCHY_CONTROL,
        play: |stage| {
            let hierarchies = [TpmiRhEnables::Owner, TpmiRhEnables::Endorsement, TpmiRhEnables::PlatformNv];
            let enable = stage.dice.pick(&hierarchies);
            for state in [YesNo::No, YesNo::Yes] {
                let handles = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform };
                stage.run(handles, &HierarchyControl { enable, state });
            }
        },
    },
    Case {
        code: Cc::HIERARCHY_CHANGE_AUTH,
        play: |stage| {
            // To the same value: what a session proves of a response with a new one is for the client's tests.
            let auth_handle = stage.dice.pick(&[
                TpmiRhHierarchyAuth::Owner,
                TpmiRhHierarchyAuth::Endorsement,
                TpmiRhHierarchyAuth::Platform,
                TpmiRhHierarchyAuth::Lockout,
            ]);
            let command = HierarchyChangeAuth { new_auth: Tpm2bAuth::EMPTY };
            stage.run(HierarchyChangeAuthHandles { auth_handle }, &command);
        },
    },
    Case {
        code: Cc::SET_PRIMARY_POLICY,
        play: |stage| {
            let hash = stage.hash();
            let policies = [(stage.digest(hash), Some(hash)), (Tpm2bDigest::EMPTY, None)];
            let auth_handle = TpmiRhHierarchyPolicy::Hierarchy(TpmiRhHierarchyAuth::Owner);
            for (auth_policy, hash_alg) in policies {
                let handles = SetPrimaryPolicyHandles { auth_handle };
                stage.run(handles, &SetPrimaryPolicy { auth_policy, hash_alg });
            }
        },
    },
    Case { code: Cc::CHANGE_EPS, play: |stage| stage.run(ChangeEpsHandles { auth_handle: PLATFORM }, &ChangeEps {}) },
    Case { code: Cc::CHANGE_PPS, play: |stage| stage.run(ChangePpsHandles { auth_handle: PLATFORM }, &ChangePps {}) },
    Case {
        code: Cc::CLEAR,
        play: |stage| {
            let auth_handle = stage.dice.pick(&[TpmiRhClear::Lockout, TpmiRhClear::Platform]);
            stage.run(ClearHandles { auth_handle }, &Clear {});
        },
    },
    Case {
        code: Cc::CLEAR_CONTROL,
        play: |stage| {
            for disable in [YesNo::Yes, YesNo::No] {
                stage.run(ClearControlHandles { auth: TpmiRhClear::Platform }, &ClearControl { disable });
            }
        },
    },
    Case {
        code: Cc::READ_ONLY_CONTROL,
        play: |stage| {
            for state in [YesNo::Yes, YesNo::No] {
                stage.run(ReadOnlyControlHandles { auth_handle: PLATFORM }, &ReadOnlyControl { state });
            }
        },
    },
    Case {
        code: Cc::DICTIONARY_ATTACK_LOCK_RESET,
        play: |stage| {
            let handles = DictionaryAttackLockResetHandles { lock_handle: TpmiRhLockout::Lockout };
            stage.run(handles, &DictionaryAttackLockReset {});
        },
    },
    Case {
        code: Cc::DICTIONARY_ATTACK_PARAMETERS,
        play: |stage| {
            let mut number = || 1 + stage.dice.below(1000) as u32;
            let command = DictionaryAttackParameters {
                new_max_tries: number(),
                new_recovery_time: number(),
                lockout_recovery: number(),
            };
            stage.run(DictionaryAttackParametersHandles { lock_handle: TpmiRhLockout::Lockout }, &command);
        },
    },
    Case {
        code: Cc::PP_COMMANDS,
        play: |stage| {
            let set_list = TpmlCc::from_slice(&[Cc::CLEAR, Cc::CLOCK_SET][..stage.dice.below(3)]).unwrap();
            let clear_list = TpmlCc::from_slice(&[Cc::CHANGE_EPS][..stage.dice.below(2)]).unwrap();
            stage.run(PpCommandsHandles { auth: PLATFORM }, &PpCommands { set_list, clear_list });
        },
    },
    Case {
        code: Cc::SET_ALGORITHM_SET,
        play: |stage| {
            let handles = SetAlgorithmSetHandles { auth_handle: PLATFORM };
            stage.run(handles, &SetAlgorithmSet { algorithm_set: 0 });
        },
    },
    Case {
        code: Cc::SET_COMMAND_CODE_AUDIT_STATUS,
        play: |stage| {
            // The algorithm alone, or the commands alone.
            let lists = [(Some(HashAlg::Sha384), 0), (None, stage.dice.below(3))];
            for (audit_alg, count) in lists {
                let set_list = TpmlCc::from_slice(&[Cc::GET_RANDOM, Cc::SIGN][..count]).unwrap();
                let handles = SetCommandCodeAuditStatusHandles { auth: TpmiRhProvision::Owner };
                let command = SetCommandCodeAuditStatus { audit_alg, set_list, clear_list: TpmlCc::new() };
                stage.run(handles, &command);
            }
        },
    },
];
