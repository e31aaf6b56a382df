// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Integrity Collection (PCR)".

use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        code: Cc::PCR_EXTEND,
        play: |stage| {
            for pcr_handle in [None, Some(PcrIndex::Pcr0), Some(PcrIndex::Pcr23)] {
                let mut digests = TpmlDigestValues::new();
                for hash in [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512] {
                    if stage.dice.below(2) == 0 {
                        let digest = stage.digest(hash);
                        digests.push(TpmtHa::new(hash, digest.as_bytes()).unwrap()).unwrap();
                    }
                }
                stage.run(PcrExtendHandles { pcr_handle }, &PcrExtend { digests: digests.borrowed() });
            }
        },
    },
    Case {
        code: Cc::PCR_EVENT,
        play: |stage| {
            let event = stage.some::<1024>(1024);
            for pcr_handle in [None, Some(PcrIndex::Pcr8)] {
                let event_data = Tpm2bEvent::new(event.as_bytes()).unwrap();
                stage.run(PcrEventHandles { pcr_handle }, &PcrEvent { event_data });
            }
        },
    },
    Case {
        code: Cc::PCR_READ,
        play: |stage| {
            let pcr_selection_in = stage.selection();
            stage.run((), &PcrRead { pcr_selection_in });
        },
    },
    Case {
        code: Cc::PCR_RESET,
        play: |stage| {
            let pcr_handle = stage.dice.pick(&[PcrIndex::Pcr16, PcrIndex::Pcr23]);
            stage.run(PcrResetHandles { pcr_handle }, &PcrReset {});
        },
    },
    Case {
        code: Cc::PCR_ALLOCATE,
        play: |stage| {
            let pcr_allocation = stage.selection();
            stage.run(PcrAllocateHandles { auth_handle: TpmiRhPlatform::Platform }, &PcrAllocate { pcr_allocation });
        },
    },
    Case {
        code: Cc::PCR_SET_AUTH_POLICY,
        play: |stage| {
            let hash = stage.hash();
            let policies = [(stage.digest(hash), Some(hash)), (Tpm2bDigest::EMPTY, None)];
            for (auth_policy, hash_alg) in policies {
                let handles = PcrSetAuthPolicyHandles { auth_handle: TpmiRhPlatform::Platform };
                stage.run(handles, &PcrSetAuthPolicy { auth_policy, hash_alg, pcr_num: PcrIndex::Pcr20 });
            }
        },
    },
    Case {
        code: Cc::PCR_SET_AUTH_VALUE,
        play: |stage| {
            // To the same value: a session authenticates the response with the new one.
            let handles = PcrSetAuthValueHandles { pcr_handle: PcrIndex::Pcr20 };
            stage.run(handles, &PcrSetAuthValue { auth: Tpm2bDigest::EMPTY });
        },
    },
];
