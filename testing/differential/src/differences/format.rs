// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a command is read: tags, sizes, handles, numbers that one of both does not know.

use evtpm_tpm_wire::{Cc, MAX_PRIVATE, Rc, Subject};

use super::Known;
use crate::shape::{self, names_a_slot_of_a_persistent_object, names_algorithm_of_libtpms};

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "tag that is none",
        is: |case| matches!(case.codes.theirs.raw(), 0x084 | 0x01E) && case.codes.ours == Rc::TAG,
        reason: "Part 3, \"Response Values\": \"If the TPM does not have compatibility with TPM 1.2, the TPM shall return \
                 TPM_ST_NO_SESSION and a response code of TPM_RC_TAG.\" libtpms answers TPM_RC_VALUE, or TPM_RC_BAD_TAG \
                 where 1.2 has the tag.",
    },
    Known {
        name: "size of the authorization area",
        is: |case| {
            let is_size = matches!(case.codes.theirs, Rc::SIZE | Rc::INSUFFICIENT);
            let has_fourth = case.codes.theirs == Rc::SIZE.at(Subject::Session(4));
            (is_size || has_fourth) && matches!(case.codes.ours, Rc::AUTHSIZE | Rc::AUTH_CONTEXT)
        },
        reason: "Part 3, \"Session Area Validation\": \"If the tag is TPM_ST_SESSIONS and the command requires \
                 TPM_ST_NO_SESSIONS, the TPM will return TPM_RC_AUTH_CONTEXT.\" Otherwise \"the TPM will attempt to unmarshal an \
                 authorizationSize and return TPM_RC_AUTHSIZE if the value is not within an acceptable range.\"",
    },
    Known {
        name: "tag that no structure has",
        is: |case| {
            case.codes.theirs.base() == Rc::VALUE
                && case.codes.ours.base() == Rc::TAG
                && case.codes.theirs.subject() == case.codes.ours.subject()
        },
        reason: "Part 3, \"Unmarshaling Errors\", TPM_RC_TAG: \"a parameter that should be a structure tag has a value that is not \
                 supported by the TPM\". libtpms says TPM_RC_VALUE where the number is no tag at all.",
    },
    Known {
        name: "NV handle of a later version",
        is: |case| {
            let Some(Subject::Handle(number)) = case.codes.theirs.subject() else { return false };
            let at = 10 + 4 * (usize::from(number) - 1);
            let is_new = case.commands.ours.get(at).is_some_and(|kind| matches!(kind, 0x11 | 0x12));
            let is_later = matches!(case.codes.ours.subject(), Some(Subject::Handle(later)) if later > number);
            let is_absent = matches!(case.codes.ours.base(), Rc::HANDLE | Rc::HIERARCHY);
            let is_met = is_absent || is_later && case.codes.ours.base() == Rc::VALUE;
            is_new && case.codes.theirs.base() == Rc::VALUE && is_met
        },
        reason: "Part 2, TPMI_RH_NV_INDEX: since version 1.83 there are TPM_HT_EXTERNAL_NV and TPM_HT_PERMANENT_NV beside \
                 TPM_HT_NV_INDEX; libtpms knows the last. To ours such a handle is one like others, which it looks for when it \
                 has read the handles behind it, and after the entities of those before it.",
    },
    Known {
        name: "buffers of another size",
        is: |case| {
            matches!(case.codes.theirs.subject(), Some(Subject::Parameter(_)))
                && case.codes.theirs.subject() == case.codes.ours.subject()
                && matches!(
                    (case.codes.theirs.base(), case.codes.ours.base()),
                    (Rc::SIZE, Rc::INSUFFICIENT) | (Rc::INSUFFICIENT, Rc::SIZE)
                )
        },
        reason: "A size is refused as such when it is more than the buffer of a TPM holds, and as an end that comes too early \
                 otherwise. libtpms has no RSA key of more than 3,072 bits, but a curve of 638, and no list of less than two digests.",
    },
    Known {
        name: "private areas of another size",
        is: |case| {
            matches!(case.codes.ours.subject(), Some(Subject::Parameter(_)))
                && case.codes.ours.base() == Rc::SIZE
                && shape::private_size(case).is_some_and(|size| size > MAX_PRIVATE)
        },
        reason: "Part 2, _PRIVATE, is as long as the implementation needs. libtpms keeps room in it for five primes of RSA, reads on, \
                 and finds what is wrong behind it.",
    },
    Known {
        name: "coordinates of a greater curve",
        is: |case| {
            matches!(case.code, Cc::ECDH_ZGEN | Cc::ZGEN_2PHASE | Cc::COMMIT)
                && case.codes.ours == Rc::SIZE.at(Subject::Parameter(1))
                && shape::coordinate_size(case).is_some_and(|size| (67..=80).contains(&size))
        },
        reason: "Part 2, TPM2B_ECC_PARAMETER: no longer than a coordinate of the greatest curve, which is P-521 here and BN-P638 in \
                 libtpms: that reads up to 80 octets, and what is wrong behind them.",
    },
    Known {
        name: "names of two octets more",
        is: |case| {
            let is_longer = case.commands.ours.windows(2).any(|size| matches!(size, [0, 67 | 68]));
            matches!(
                case.code,
                Cc::REWRAP
                    | Cc::POLICY_AUTHORIZE
                    | Cc::POLICY_TICKET
                    | Cc::POLICY_DUPLICATION_SELECT
                    | Cc::MAKE_CREDENTIAL
            ) && case.codes.ours.base() == Rc::SIZE
                && is_longer
        },
        reason: "Part 2, TPM2B_NAME: as large as a TPMU_NAME, which is a TPM_HANDLE or a TPMT_HA of at most 66 octets; a \
                 compiler pads it to 68 for the handle.",
    },
    Known {
        name: "code without its parameter",
        is: |case| {
            let subjects = (case.codes.theirs.subject(), case.codes.ours.subject());
            case.codes.theirs.base() == case.codes.ours.base() && matches!(subjects, (None, Some(_)) | (Some(_), None))
        },
        reason: "The same error, for which one of both names no parameter; no clause says which is to be named.",
    },
    Known {
        name: "curve of libtpms",
        is: |case| {
            case.codes.ours.base() == Rc::CURVE && case.codes.theirs != case.codes.ours
                || case.field.as_ref().is_some_and(|(_, values)| values.ours.starts_with(b"EccCurves"))
        },
        reason: "Part 2, TPM_ECC_CURVE: which curves there are is the choice of an implementation; libtpms has P-192, P-224, \
                 BN-P256, BN-P638 and SM2 besides ours.",
    },
    Known {
        name: "self-test of an algorithm that one of them lacks",
        is: |case| {
            case.code == Cc::INCREMENTAL_SELF_TEST
                && !case.changes.is_empty()
                && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(1))
        },
        reason: "Part 2, TPM_ALG_ID: which algorithms there are is the choice of an implementation; ours reads the identifier as \
                 the constant that it is, and tests nothing for one that it has not.",
    },
    Known {
        name: "algorithm of libtpms",
        is: |case| {
            case.codes.theirs != case.codes.ours
                && names_algorithm_of_libtpms(case)
                && [Rc::SYMMETRIC, Rc::SCHEME, Rc::HASH, Rc::KDF, Rc::ASYMMETRIC].contains(&case.codes.ours.base())
        },
        reason: "Part 2, TPM_ALG_ID: which algorithms there are is the choice of an implementation; libtpms has Camellia, \
                 TDES, SM2 and others besides ours. Only a mutated command names one.",
    },
    Known {
        name: "command that one of them lacks",
        is: |case| {
            case.codes.ours != Rc::COMMAND_CODE && case.codes.theirs == Rc::COMMAND_CODE
                || case.code == Cc::POLICY_COMMAND_CODE && case.codes.theirs.base() == Rc::POLICY_CC
        },
        reason: "Which optional commands there are is the choice of an implementation: libtpms has no TPM2_ACT_SetTimeout, \
                 TPM2_ECC_Encrypt, TPM2_ECC_Decrypt and none of the commands after version 1.59; ours lacks none of libtpms'.",
    },
    Known {
        name: "slot for an object on the way",
        is: |case| {
            case.codes.theirs == Rc::OBJECT_MEMORY
                || names_a_slot_of_a_persistent_object(case)
                || case.field.as_ref().is_some_and(|(name, _)| *name == "handle")
                    && case.commands.ours.get(10) == Some(&0x81)
        },
        reason: "Part 3, \"Handle Area Validation\": \"if the TPM implementation moves a persistent object to RAM for \
                 command processing then sufficient RAM space is available (TPM_RC_OBJECT_MEMORY)\". Ours needs none for \
                 what it does not load; in libtpms the slot of one handle can even be named by the next.",
    },
    Known {
        name: "failure of libtpms",
        is: |case| case.codes.theirs == Rc::FAILURE,
        reason: "libtpms goes into failure mode (EntityGetAuthValue, for a signing key that is a sequence object). That no \
                 command does so is a promise of ours.",
    },
];
