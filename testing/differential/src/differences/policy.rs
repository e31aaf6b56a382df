// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Assertions of policies.

use evtpm_testing_foreign::packet::Request;
use evtpm_tpm_wire::{Cc, Rc, Subject, TpmEo, TpmaSession};

use super::Known;
use crate::shape::{self, is_encrypted};
use crate::story::Case;

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "trial policy of an index by who may not read it",
        is: |case| {
            matches!(case.code, Cc::POLICY_NV | Cc::POLICY_AUTHORIZE_NV)
                && case.trial
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::NV_AUTHORIZATION
        },
        reason: "Part 3, PolicyNV and PolicyAuthorizeNV: \"The authorization to read the NV Index must succeed even if policySession is a trial \
                 policy session.\"",
    },
    Known {
        name: "trial policy that would fail",
        is: |case| {
            let fails_there = case.codes.ours.is_success() && !case.codes.theirs.is_success();
            let has_template =
                case.code == Cc::POLICY_TEMPLATE && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(1));
            let is_bound = case.codes.theirs == Rc::CPHASH || has_template;
            let fails_first = is_bound && case.codes.ours.base() == Rc::SIZE;
            case.trial && (fails_there || fails_first) && crate::seal::is_policy(case.code)
        },
        reason: "Part 3, \"Enhanced Authorization (EA) Commands\": \"If the policySession parameter indicates a trial \
                 policy session, then the policySession→policyDigest will be updated and the indicated validations are not \
                 performed.\" Whether there is a cpHash already, or another template, is one of them, which libtpms makes \
                 before it looks at the size of a digest; ours looks at the size alone.",
    },
    Known {
        name: "trial policy of PCR that are not there",
        is: |case| case.trial_pcrs && case.code == Cc::POLICY_GET_DIGEST && case.field.is_some(),
        reason: "Part 3, PolicyPCR, of a trial session: \"pcrs is the input parameter without modification\"; libtpms takes out \
                 the PCR that no bank has since TPM2_PCR_Allocate.",
    },
    Known {
        name: "PolicySigned without its signature",
        is: |case| {
            case.code == Cc::POLICY_SIGNED
                && matches!(case.codes.theirs.base(), Rc::SIGNATURE | Rc::SCHEME | Rc::HANDLE)
                && case.codes.theirs.subject() == Some(Subject::Parameter(5))
                && case.codes.ours == Rc::POLICY_FAIL.at(Subject::Parameter(5))
        },
        reason: "Part 3, PolicySigned: if the digest is not the one that was signed, \"the authorization fails and the TPM \
                 shall return TPM_RC_POLICY_FAIL\". libtpms says what is wrong with the signature, or TPM_RC_HANDLE of an HMAC \
                 key without its secret.",
    },
    Known {
        name: "nonce of another session",
        is: |case| {
            matches!(case.code, Cc::POLICY_SIGNED | Cc::POLICY_SECRET)
                && case.codes.theirs == Rc::NONCE.at(Subject::Parameter(1))
                && case.codes.ours == Rc::VALUE.at(Subject::Parameter(1))
        },
        reason: "Part 3, \"Policy Parameter Checks\", nonceTPM: \"If this parameter is not the Empty Buffer, and it does \
                 not match policySession→nonceTPM, then the TPM shall return TPM_RC_VALUE.\"",
    },
    Known {
        name: "expiration between two clocks",
        is: |case| {
            let has_expired = |rc: Rc| rc.base() == Rc::EXPIRED;
            let is_short = match case.code {
                Cc::POLICY_SIGNED | Cc::POLICY_SECRET => shape::expiration(case)
                    .is_some_and(|seconds| (1..=shape::A_STORY).contains(&seconds.unsigned_abs())),
                Cc::POLICY_TICKET => {
                    shape::timeout(case).is_some_and(|timeout| timeout <= 1000 * u64::from(shape::A_STORY))
                }
                _ => false,
            };
            has_expired(case.codes.theirs) != has_expired(case.codes.ours) && is_short
        },
        reason: "Part 3, \"Policy Parameter Checks\", expiration: \"If timeout is less than the current value of Time\", it is \
                 TPM_RC_EXPIRED. Time of libtpms is this machine's, that of ours goes on by five milliseconds with each \
                 command: within the seconds that a story takes they differ.",
    },
    Known {
        name: "sequence as the key of PolicySigned",
        is: |case| {
            let as_key = case.codes.theirs == Rc::CPHASH
                || matches!(case.codes.theirs.subject(), Some(Subject::Parameter(1 | 2 | 4 | 5)));
            case.code == Cc::POLICY_SIGNED
                && (as_key || case.trial && case.codes.theirs.is_success())
                && case.codes.ours == Rc::KEY.at(Subject::Handle(1))
        },
        reason: "Part 1: \"The Name of a sequence object is an Empty Buffer\", so that no policy could name it; libtpms takes it \
                 for a key, in a trial session with success, and looks at nonceTPM, cpHashA and expiration before it tries the \
                 signature.",
    },
    Known {
        name: "ticket of PolicyAuthorize",
        is: |case| {
            case.code == Cc::POLICY_AUTHORIZE
                && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(4))
                && matches!(case.codes.ours.base(), Rc::POLICY | Rc::VALUE | Rc::SIZE | Rc::INSUFFICIENT)
        },
        reason: "Part 3, PolicyAuthorize: \"If the ticket is not valid, the TPM shall return TPM_RC_POLICY.\" Tags that later \
                 versions have libtpms refuses when it reads them, before it compares the policy or reads on.",
    },
    Known {
        name: "PolicyCommandCode of no command",
        is: |case| {
            case.code == Cc::POLICY_COMMAND_CODE
                && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(1))
                && case.codes.ours == Rc::POLICY_CC.at(Subject::Parameter(1))
        },
        reason: "Part 3, PolicyCommandCode: \"If code is not implemented, the TPM will return TPM_RC_POLICY_CC.\"",
    },
    Known {
        name: "clock that is always safe",
        is: |case| {
            let looks_at_safe = |request: Request<'_>| {
                let size = request.parameters.first_chunk::<2>().map_or(0, |size| u16::from_be_bytes(*size));
                let offset = request.parameters.get(2 + usize::from(size)..).and_then(<[u8]>::first_chunk::<2>);
                let encrypted =
                    request.sessions.iter().any(|used| used.session_attributes.contains(TpmaSession::DECRYPT));
                encrypted || offset.is_some_and(|offset| u16::from_be_bytes(*offset).saturating_add(size) > 24)
            };
            let fails = case.codes.theirs == Rc::POLICY || case.codes.ours == Rc::POLICY;
            case.code == Cc::POLICY_COUNTER_TIMER
                && fails
                && Request::parse(&case.commands.ours).is_ok_and(looks_at_safe)
        },
        reason: "Part 1, of Clock: it is safe when it cannot have told a later time before. Ours keeps Clock ahead of what \
                 it has told, so that safe is YES; in libtpms it is NO after a loss of power until its clock of the real \
                 time has passed an interval.",
    },
    Known {
        name: "expiration in seconds",
        is: |case| {
            let is_expiration = |(operand, offset, operation): (&[u8], u32, TpmEo)| {
                operation == TpmEo::UnsignedLt && offset == 0 && operand.len() == 8
            };
            case.code == Cc::POLICY_COUNTER_TIMER
                && matches!(case.codes.theirs, Rc::SUCCESS | Rc::POLICY)
                && (case.codes.ours == Rc::SUCCESS || case.codes.ours == Rc::EXPIRED.at(Subject::Parameter(1)))
                && shape::comparison(case).is_some_and(is_expiration)
        },
        reason: "Part 3, PolicyCounterTimer, since version 1.83: what Time is to be less than counts seconds since the session \
                 began, and is a limit for it. libtpms compares it with Time.",
    },
    Known {
        name: "times of two clocks",
        is: |case| {
            // The lowest octets of Time and Clock: what is above them does not change in a story. It decides in which order
            // both numbers are, unless it is zero; bits are looked at wherever they are.
            let is_moving = |(operand, offset, operation): (&[u8], u32, TpmEo)| {
                let moves = |(at, _): &(u32, &u8)| matches!(at, 6 | 7 | 14 | 15);
                let mut octets = (offset..).zip(operand);
                match operation {
                    TpmEo::BitSet | TpmEo::BitClear => octets.any(|octet| moves(&octet)),
                    _ => octets.find(|octet| moves(octet) || *octet.1 != 0).is_some_and(|octet| moves(&octet)),
                }
            };
            case.code == Cc::POLICY_COUNTER_TIMER
                && is_undecided(case)
                && shape::comparison(case).is_some_and(is_moving)
        },
        reason: "Part 3, PolicyCounterTimer, compares with Time and Clock as they are. libtpms' go on by this machine's clock, ours \
                 by five milliseconds with each command.",
    },
    Known {
        name: "order of two negative numbers",
        is: |case| {
            let is_negative = |operand: &[u8]| operand.first().is_some_and(|first| first & 0x80 != 0);
            signed_comparison(case).is_some_and(|operand| is_negative(operand) || is_encrypted(&case.commands.ours))
        },
        reason: "Part 3, PolicyNV: signed comparisons are made in two's complement; libtpms orders negative numbers by \
                 their bits the wrong way round, so that -1 is less than -58.",
    },
    Known {
        name: "signed comparison with nothing",
        is: |case| signed_comparison(case).is_some_and(<[u8]>::is_empty),
        reason: "Part 3, PolicyNV, compares operandB with as many octets of the index. None have no sign; libtpms takes it \
                 from the octet behind them, whatever that is.",
    },
];

/// What a signed comparison came out differently for.
fn signed_comparison(case: &Case) -> Option<&[u8]> {
    let is_one = matches!(case.code, Cc::POLICY_NV | Cc::POLICY_COUNTER_TIMER) && is_undecided(case);
    let (operand, _, operation) = shape::comparison(case).filter(|_| is_one)?;
    let is_signed = matches!(operation, TpmEo::SignedGt | TpmEo::SignedLt | TpmEo::SignedGe | TpmEo::SignedLe);
    is_signed.then_some(operand)
}

/// Tells whether a comparison holds for one of both alone.
const fn is_undecided(case: &Case) -> bool {
    matches!((case.codes.theirs, case.codes.ours), (Rc::POLICY, Rc::SUCCESS) | (Rc::SUCCESS, Rc::POLICY))
}
