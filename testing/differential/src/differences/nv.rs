// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NV indices.

use evtpm_tpm_wire::{Cc, NvType, Rc, Subject, TpmaNv};

use super::Known;
use crate::both::Both;
use crate::shape::{self, is_locked_pin};

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "unwritten NV index, before its authValue",
        is: |case| case.codes.ours == Rc::NV_UNINITIALIZED && !case.codes.theirs.is_success(),
        reason: "Part 3, \"Non-volatile Storage\": \"If an Index has been defined and not written, then any operation on \
                 the NV Index that requires read authorization will fail\", a check that \"shall be performed before \
                 checking the NV Index authValue\".",
    },
    Known {
        name: "NV data in one command",
        is: |case| {
            matches!(case.code, Cc::NV_WRITE | Cc::NV_EXTEND) && case.codes.theirs == Rc::SIZE.at(Subject::Parameter(1))
                || matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY) && case.codes.theirs.base() == Rc::VALUE
                || matches!(case.codes.theirs.base(), Rc::VALUE | Rc::SIZE) && case.codes.ours == Rc::NV_RANGE
        },
        reason: "TPM_PT_NV_BUFFER_MAX is 1,024 in libtpms and 2,048 here; and libtpms checks the offset, and PolicyNV the \
                 size, by itself, where Part 3 names TPM_RC_NV_RANGE if offset and size \"add to a value that is greater \
                 than the dataSize field of the NV Index\".",
    },
    Known {
        name: "room for NV indices",
        is: |case| case.code == Cc::NV_DEFINE_SPACE && case.codes.theirs == Rc::NV_SPACE,
        reason: "How much room there is (Part 3, NV_DefineSpace: TPM_RC_NV_SPACE) is the choice of an implementation; \
                 libtpms keeps 512 octets for orderly indices.",
    },
    Known {
        name: "PIN index with a global lock",
        is: |case| {
            case.code == Cc::NV_DEFINE_SPACE
                && case.codes.theirs == Rc::ATTRIBUTES.at(Subject::Parameter(2))
                && shape::nv_public(case).is_some_and(|(attributes, _)| is_locked_pin(TpmaNv(attributes)))
        },
        reason: "Part 3, NV_DefineSpace, asks of a PIN index NO_DA, one of PPWRITE, OWNERWRITE, POLICYWRITE, and no AUTHWRITE; \
                 that there be no GLOBALLOCK or WRITEDEFINE is asked by libtpms alone.",
    },
    Known {
        name: "index that is written whole",
        is: |case| {
            let is_written_whole = |(attributes, size): (u32, u32)| {
                (1025..=2048).contains(&size) && TpmaNv(attributes).contains(TpmaNv::WRITEALL)
            };
            case.code == Cc::NV_DEFINE_SPACE
                && case.codes.theirs == Rc::SIZE.at(Subject::Parameter(2))
                && shape::nv_public(case).is_some_and(is_written_whole)
        },
        reason: "With WRITEALL the data must fit one command: TPM_PT_NV_BUFFER_MAX is 1,024 in libtpms and 2,048 here.",
    },
    Known {
        name: "octets that nobody wrote",
        is: |case| {
            let is_pin = case.of_pin();
            let is_unwritten = |octets: (u8, u8)| octets == (0xFF, 0) || is_pin && octets == (0, 0xFF);
            let unwritten = |values: &Both<Vec<u8>>| {
                let mut octets = values.ours.iter().copied().zip(values.theirs.iter().copied());
                values.ours.len() == values.theirs.len()
                    && octets.all(|(ours, theirs)| ours == theirs || is_unwritten((ours, theirs)))
            };
            is_pin && case.codes.theirs == Rc::AUTH_UNAVAILABLE
                || matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY)
                    && case.field.as_ref().is_some_and(|(_, values)| unwritten(values))
                || case.code == Cc::POLICY_NV
                    && (is_pin || case.indices.iter().any(|attributes| attributes.contains(TpmaNv::ORDERLY)))
                    && (case.codes.theirs == Rc::POLICY || case.codes.ours == Rc::POLICY)
        },
        reason: "Nothing says what an index holds where a first TPM2_NV_Write left it out: 0xFF here and in libtpms, but zero where it \
                 is a PIN of ours, or orderly and of libtpms.",
    },
    Known {
        name: "first value of a counter",
        is: |case| {
            case.of_type(NvType::Counter)
                && (matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY) && case.field.is_some()
                    || case.code == Cc::POLICY_NV && (case.codes.theirs == Rc::POLICY || case.codes.ours == Rc::POLICY))
        },
        reason: "Part 3, \"NV Counters\": \"the TPM shall initialize the 8-octet counter value with a number that is \
                 greater than any value that a counter Index with the same Name has had\". Ours starts above every counter \
                 that there is or was; libtpms above those that were deleted, rounded up to MAX_ORDERLY_COUNT where one \
                 was orderly.",
    },
    Known {
        name: "PIN that a policy asks for, unwritten or used up",
        is: |case| {
            case.of_pin()
                && case.codes.ours == Rc::AUTH_UNAVAILABLE
                && case.commands.ours.windows(4).any(|bytes| bytes[0] == 3 && bytes[1..3] == [0, 0])
        },
        reason: "Part 1, \"If the authValue of an PIN Index is used for authorization, then the authorization will fail if the \
                 pinCount field of the Index is not less than the pinLimit field\". libtpms does not look in a policy session.",
    },
    Known {
        name: "PIN that reads its own index",
        is: |case| {
            let reads = [Cc::NV_READ, Cc::NV_READ_LOCK, Cc::NV_CERTIFY, Cc::POLICY_NV, Cc::POLICY_AUTHORIZE_NV];
            reads.contains(&case.code) && case.of_pin() && case.codes.ours == Rc::AUTH_UNAVAILABLE
        },
        reason: "Part 3, \"Authorization Checks\": a command that reads an index, or locks it for reading, by its own authValue needs \
                 TPMA_NV_AUTHREAD (TPM_RC_AUTH_UNAVAILABLE), a PIN index too: of PolicySecret alone is said \"If \
                 authEntity references a non-PIN Index. TPMA_NV_AUTHREAD is required to be SET in the Index.\"",
    },
];
