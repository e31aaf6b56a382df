// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sessions: what one may be used for, and what it authorizes.

use evtpm_tpm_wire::{Cc, Rc, Subject, TpmaSession};

use super::Known;
use crate::shape::{has_purpose, is_session, only_audit_reset, session_code};

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "salt that is larger than a digest of the nameAlg",
        is: |case| {
            case.code == Cc::START_AUTH_SESSION
                && !case.changes.is_empty()
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::VALUE.at(Subject::Parameter(2))
        },
        reason: "Part 3, StartAuthSession: TPM_RC_VALUE when \"the decrypted salt value is larger than the size of the digest \
                 produced by the nameAlg of tpmKey\", which may be none. libtpms compares with the hash of the key's scheme.",
    },
    Known {
        name: "authorization by what is no session",
        is: |case| session_code(case, Rc::VALUE, Rc::HANDLE),
        reason: "Part 3, \"Session Area Validation\": \"If the session handle is not a handle for an HMAC session, a handle \
                 for a policy session, or, TPM_RS_PW then the TPM shall return TPM_RC_HANDLE.\"",
    },
    Known {
        name: "session without a purpose, beside an authorization that fails",
        is: |case| {
            is_session(case, |number, attributes, authorizations| number > authorizations && !has_purpose(attributes))
        },
        reason: "Part 3, \"Authorization Checks\": \"After unmarshaling and validating the handles and the consistency of \
                 the authorization sessions, the authorizations shall be checked.\" To the consistency belongs (\"Session \
                 Area Validation\"): \"If a session is not being used for authorization, at least one of decrypt, encrypt, \
                 or audit must be SET. (TPM_RC_ATTRIBUTES).\" libtpms checks what the sessions before it authorize first.",
    },
    Known {
        name: "auditExclusive or auditReset without audit",
        is: |case| {
            is_session(case, |_, attributes, _| {
                !attributes.contains(TpmaSession::AUDIT)
                    && attributes.intersects(TpmaSession::AUDIT_EXCLUSIVE | TpmaSession::AUDIT_RESET)
            })
        },
        reason: "Part 2, TPMA_SESSION: \"This setting is only allowed if the audit attribute is SET (TPM_RC_ATTRIBUTES).\" \
                 libtpms does not look.",
    },
    Known {
        name: "auditReset in a response",
        is: |case| {
            case.field
                .as_ref()
                .is_some_and(|(name, values)| *name == "sessions" && only_audit_reset(&values.theirs, &values.ours))
        },
        reason: "Part 2, TPMA_SESSION, auditReset: \"This bit is always CLEAR in a response.\" libtpms sends it back.",
    },
    Known {
        name: "exclusive from the first use",
        is: |case| case.codes.ours == Rc::EXCLUSIVE,
        reason: "Part 2, TPMA_SESSION, auditExclusive: \"the command should only be executed if the session is exclusive at the \
                 start of the command\". libtpms lets the first use of a session, and one with auditReset, pass.",
    },
    Known {
        name: "response to a new authValue in a bound session",
        is: |case| {
            matches!(case.code, Cc::HIERARCHY_CHANGE_AUTH | Cc::NV_CHANGE_AUTH)
                && case.field.as_ref().is_some_and(|(name, _)| *name == "sessions")
        },
        reason: "Part 1, of bound sessions: one is bound to an entity with its authValue, and Part 3, \"Command Post \
                 Processing\": \"the HMAC keys used in the response will be the same as the HMAC keys used in processing \
                 the HMAC in the command\". After the change libtpms takes the session for unbound in the response \
                 already.",
    },
];
