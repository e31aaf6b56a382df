// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capabilities: what a TPM tells of itself.

use evtpm_tpm_wire::{Cc, Handle, Rc, Subject};

use super::Known;
use crate::both::Both;
use crate::shape;

/// What each property of a list begins with.
const PAIR: &str = "(TpmPt(";

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "capability of a later version",
        is: |case| {
            let later = shape::parameters(&case.commands.ours).get(..4).is_some_and(|code| code >= &[0, 0, 0, 0x0B]);
            case.code == Cc::GET_CAPABILITY && later && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(1))
        },
        reason: "Part 3, GetCapability: \"TPM_CAP_PUB_KEYS and TPM_CAP_SPDM_SESSION_INFO were added in version 184.\" libtpms \
                 refuses them when it reads the first parameter, ours when it has read all three, so that an end before is met \
                 first.",
    },
    Known {
        name: "list of external NV",
        is: |case| {
            let is_external = matches!(shape::parameters(&case.commands.ours), [0, 0, 0, 1, 0x11, ..]);
            case.code == Cc::GET_CAPABILITY
                && is_external
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::HANDLE.at(Subject::Parameter(2))
        },
        reason: "Part 3, GetCapability, TPM_CAP_HANDLES: the type of the property, its first octet, says which handles are listed; \
                 Part 2, TPM_HT: since version 1.83 TPM_HT_EXTERNAL_NV is one, of which libtpms does not know.",
    },
    Known {
        name: "key derivation of a curve",
        is: |case| {
            case.code == Cc::ECC_PARAMETERS && case.field.as_ref().is_some_and(|(name, _)| *name == "parameters")
        },
        reason: "Part 2, TPMS_ALGORITHM_DETAIL_ECC: kdf is a default for the sharing of secrets and may be TPM_ALG_NULL. \
                 libtpms names KDF1_SP800_56A, ours nothing.",
    },
    Known {
        name: "test of a key derivation",
        is: |case| {
            case.code == Cc::TEST_PARMS
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::KDF.at(Subject::Parameter(1))
        },
        reason: "Part 2, TPMS_ECC_PARMS, kdf: \"In the context of object creation, TPM2_LoadExternal(), or TPM2_TestParms(), \
                 TPM_RC_KDF indicates the TPM does not support the requested KDF.\" libtpms looks when it creates alone.",
    },
    Known {
        name: "lists of other lengths",
        is: |case| {
            let is_page = case.field.as_ref().is_some_and(|(name, _)| *name == "moreData")
                || !case.changes.is_empty()
                    && matches!(shape::parameters(&case.commands.ours), [0, 0, 0, 0 | 2 | 8, ..])
                    && case.field.is_some();
            case.code == Cc::GET_CAPABILITY && is_page
        },
        reason: "Part 3, GetCapability: moreData says whether there are more values than were asked for; the lists of \
                 algorithms, commands and curves are those of each TPM.",
    },
    Known {
        name: "lockout counter after an unwritten index",
        is: |case| {
            let without = |values: &[u8]| {
                let text = String::from_utf8_lossy(values).into_owned();
                text.split(PAIR).filter(|pair| !pair.starts_with("20e)")).collect::<Vec<_>>().join(PAIR)
            };
            let counter_alone = |values: &Both<Vec<u8>>| {
                let (theirs, ours) = (without(&values.theirs), without(&values.ours));
                theirs == ours || shape::only_in_lockout(theirs.as_bytes(), ours.as_bytes())
            };
            case.code == Cc::GET_CAPABILITY && case.field.as_ref().is_some_and(|(_, values)| counter_alone(values))
        },
        reason: "Follows from the unwritten NV index, before its authValue: where libtpms has looked at a protected authValue, a loss \
                 of power counts as a failure (Part 1, \"Non-orderly Shutdown\"), which may be the last one that is allowed.",
    },
    Known {
        name: "algorithm of more than 16 bits",
        is: |case| {
            let capability = shape::parameters(&case.commands.ours).get(..6);
            case.code == Cc::GET_CAPABILITY
                && capability.is_some_and(|bytes| bytes[..4] == [0; 4] && bytes[4..] != [0; 2])
        },
        reason: "Part 3, GetCapability: \"The TPM_ALG_ID or TPM_ECC_CURVE is cast to a UINT32\", so that no property has more \
                 than 16 bits; libtpms looks at the lower half of one that has.",
    },
    Known {
        name: "handles of countdown timers",
        is: |case| {
            let is_list = |values: &Both<Vec<u8>>| {
                let policies = values.theirs.strip_suffix(b"])").filter(|list| list.starts_with(b"AuthPolicies("));
                values.ours.starts_with(b"Handles([0x400")
                    || policies.is_some_and(|policies| values.ours.starts_with(policies))
            };
            let is_told =
                case.code == Cc::GET_CAPABILITY && case.field.as_ref().is_some_and(|(_, values)| is_list(values));
            let is_timer = |handle| (Handle::ACT_0.0..=Handle::ACT_F.0).contains(&handle);
            let is_named = shape::handles(&case.commands.ours).any(is_timer) && case.codes.theirs.base() == Rc::VALUE;
            is_told || is_named
        },
        reason: "Part 2, TPM_RH: TPM_RH_ACT_0 and the next are permanent handles of a TPM that has Authenticated Countdown Timers; \
                 libtpms has none.",
    },
];
