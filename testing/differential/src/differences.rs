// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The one list of differences between libtpms 0.9.2 and our TPM that are not our faults, each with its reason.
//!
//! libtpms 0.9.2 follows version 1.59 of the library specification, ours version 185; quotations are from the latter.

use evtpm_testing_foreign::packet::Request;
use evtpm_tpm_wire::{Cc, NvType, PublicAlg, Rc, Subject, TpmAlgId, TpmPt, TpmaNv, TpmaSession, TpmtPublic};

use crate::both::Both;
use crate::shape::{
    self, has_purpose, has_scheme, is_encrypted, is_even, is_locked_pin, is_session, makes_an_object,
    may_sign_certificates, names_a_slot_of_a_persistent_object, names_algorithm_of_libtpms, only_audit_reset,
    only_in_lockout, session_code, with_empty_parameters,
};
use crate::story::Case;

/// A difference that is explained.
#[derive(Debug)]
pub struct Known {
    /// Its name in reports.
    pub name: &'static str,
    /// Whether this case is one of it.
    pub is: fn(&Case) -> bool,
    /// Why it is right.
    pub reason: &'static str,
}

/// Every known difference.
pub const ALL: &[Known] = &[
    Known {
        name: "tag that is none",
        is: |case| matches!(case.codes.theirs.raw(), 0x084 | 0x01E) && case.codes.ours == Rc::TAG,
        reason: "Part 2: \"If the TPM does not have compatibility with TPM 1.2, the TPM shall return TPM_ST_NO_SESSION and a \
                 response code of TPM_RC_TAG.\" libtpms answers TPM_RC_VALUE, or TPM_RC_BAD_TAG where 1.2 has the tag.",
    },
    Known {
        name: "size of the authorization area",
        is: |case| {
            matches!(case.codes.theirs, Rc::SIZE | Rc::INSUFFICIENT)
                && matches!(case.codes.ours, Rc::AUTHSIZE | Rc::AUTH_CONTEXT)
        },
        reason: "Part 3, \"Session Area Validation\": \"If the tag is TPM_ST_SESSIONS and the command requires \
                 TPM_ST_NO_SESSIONS, the TPM will return TPM_RC_AUTH_CONTEXT.\" Otherwise \"the TPM will attempt to unmarshal an \
                 authorizationSize and return TPM_RC_AUTHSIZE if the value is not within an acceptable range.\"",
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
        reason: "Part 3, \"Authorization Checks\": \"After unmarshaling and validating the handles and the consistency of the \
                 authorization sessions, the authorizations shall be checked.\" To the consistency belongs: \"If a session is \
                 not being used for authorization, at least one of decrypt, encrypt, or audit must be SET. \
                 (TPM_RC_ATTRIBUTES).\" libtpms checks what the sessions before it authorize first.",
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
        name: "unwritten NV index, before its authValue",
        is: |case| case.codes.ours == Rc::NV_UNINITIALIZED && !case.codes.theirs.is_success(),
        reason: "Part 1: \"If an Index has been defined and not written, then any operation on the NV Index that requires \
                 read authorization will fail\", a check that \"shall be performed before checking the NV Index authValue\".",
    },
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
        name: "RSA_Encrypt with a key that is not for decryption",
        is: |case| {
            case.code == Cc::RSA_ENCRYPT
                && case.codes.theirs == Rc::ATTRIBUTES.at(Subject::Handle(1))
                && case.codes.ours != case.codes.theirs
        },
        reason: "Part 3, RSA_Encrypt: the TPM \"shall not check the consistency of the attributes\" of a public key.",
    },
    Known {
        name: "quote without a key",
        is: |case| {
            case.code == Cc::QUOTE
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::SCHEME.at(Subject::Parameter(2))
        },
        reason: "Part 3, Quote: \"If signHandle is TPM_RH_NULL, the TPMS_ATTEST structure is returned and signature is a \
                 NULL Signature.\" \"Versions 1.83 and earlier allowed TPM2_Quote to return TPM_RC_SCHEME\".",
    },
    Known {
        name: "HMAC key that leaves its scheme open",
        is: |case| makes_an_object(case.code) && case.codes.theirs == Rc::SCHEME.at(Subject::Parameter(2)),
        reason: "Part 3, \"Object Creation\": TPM_RC_SCHEME is for a keyedHash object with \"sign and decrypt ... both CLEAR \
                 or both SET\" and a scheme; one that signs may leave the scheme to its user. libtpms refuses it, and before \
                 other checks.",
    },
    Known {
        name: "object attributes of later versions",
        is: |case| {
            makes_an_object(case.code)
                && case.codes.theirs.base() == Rc::RESERVED_BITS
                && case.codes.ours != case.codes.theirs
        },
        reason: "Part 2, TPMA_OBJECT: bits 8 and 9 are firmwareLimited and svnLimited since version 1.83; libtpms takes them \
                 for reserved.",
    },
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
        name: "curve of libtpms",
        is: |case| {
            case.codes.ours.base() == Rc::CURVE && case.codes.theirs != case.codes.ours
                || case.field.as_ref().is_some_and(|(_, values)| values.ours.starts_with(b"EccCurves"))
        },
        reason: "Part 2, TPM_ECC_CURVE: which curves there are is the choice of an implementation; libtpms has P-192, P-224, \
                 BN-P256, BN-P638 and SM2 besides ours.",
    },
    Known {
        name: "key derivation of a curve",
        is: |case| {
            case.code == Cc::ECC_PARAMETERS && case.field.as_ref().is_some_and(|(name, _)| *name == "parameters")
        },
        reason: "Part 2, TPMS_ALGORITHM_DETAIL_ECC, kdf: \"the default KDF and hash algorithm recommended for use in secret \
                 sharing operations (may be TPM_ALG_NULL)\". libtpms recommends KDF1_SP800_56A, ours nothing.",
    },
    Known {
        name: "NV data in one command",
        is: |case| {
            matches!(case.code, Cc::NV_WRITE | Cc::NV_EXTEND) && case.codes.theirs == Rc::SIZE.at(Subject::Parameter(1))
                || matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY) && case.codes.theirs.base() == Rc::VALUE
                || matches!(case.codes.theirs.base(), Rc::VALUE | Rc::SIZE) && case.codes.ours == Rc::NV_RANGE
        },
        reason: "TPM_PT_NV_BUFFER_MAX is 1,024 in libtpms and 2,048 here; and libtpms checks the offset, and PolicyNV the size, by \
                 itself, where Part 3 names TPM_RC_NV_RANGE for what \"add to a value that is greater than the dataSize field \
                 of the NV Index\".",
    },
    Known {
        name: "room for NV indices",
        is: |case| case.code == Cc::NV_DEFINE_SPACE && case.codes.theirs == Rc::NV_SPACE,
        reason: "Part 3, NV_DefineSpace: TPM_RC_NV_SPACE is \"insufficient space\", which is the choice of an implementation; \
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
        name: "auditReset in a response",
        is: |case| {
            case.field
                .as_ref()
                .is_some_and(|(name, values)| *name == "sessions" && only_audit_reset(&values.theirs, &values.ours))
        },
        reason: "Part 2, TPMA_SESSION, auditReset: \"This bit is always CLEAR in a response.\" libtpms sends it back.",
    },
    Known {
        name: "RSA_Decrypt of what has no padding",
        is: |case| case.code == Cc::RSA_DECRYPT && case.codes.theirs == Rc::FAILURE,
        reason: "Part 3, RSA_Decrypt: \"If the padding checks fail, TPM_RC_VALUE is returned.\" libtpms takes OpenSSL's refusal \
                 for a failure of the TPM.",
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
        reason: "Part 3, \"Handle Area Validation\": \"if the TPM implementation moves a persistent object to RAM for command \
                 processing then sufficient RAM space is available (TPM_RC_OBJECT_MEMORY)\"; \"A TPM is allowed to use \
                 object slots for other purposes and return this value.\" Ours needs none for what it does not load; in libtpms \
                 the slot of one handle can even be named by the next.",
    },
    Known {
        name: "lockout counter after an unwritten index",
        is: |case| {
            let without = |values: &[u8]| {
                let text = String::from_utf8_lossy(values).into_owned();
                text.split("(TpmPt(").filter(|pair| !pair.starts_with("20e)")).collect::<String>()
            };
            let counter_alone = |values: &Both<Vec<u8>>| without(&values.theirs) == without(&values.ours);
            case.code == Cc::GET_CAPABILITY && case.field.as_ref().is_some_and(|(_, values)| counter_alone(values))
        },
        reason: "Follows from the unwritten NV index, before its authValue: where libtpms has looked at a protected authValue, a loss \
                 of power counts as a failure (Part 1, \"Non-orderly Shutdown\").",
    },
    Known {
        name: "PolicySigned without its signature",
        is: |case| case.code == Cc::POLICY_SIGNED && case.codes.ours == Rc::POLICY_FAIL.at(Subject::Parameter(5)),
        reason: "Part 3, PolicySigned: \"If auth does not contain a valid signature over toBeSigned, ... the TPM shall return \
                 TPM_RC_POLICY_FAIL\".",
    },
    Known {
        name: "sequence as the key of PolicySigned",
        is: |case| case.code == Cc::POLICY_SIGNED && case.codes.ours == Rc::KEY.at(Subject::Handle(1)),
        reason: "Part 1: \"The Name of a sequence object is an Empty Buffer\", so that no policy could name it; libtpms takes it \
                 for a key, in a trial session with success.",
    },
    Known {
        name: "ticket of PolicyAuthorize",
        is: |case| {
            case.code == Cc::POLICY_AUTHORIZE
                && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(4))
                && case.codes.ours == Rc::POLICY
        },
        reason: "Part 3, PolicyAuthorize: \"If the ticket is not valid, the TPM shall return TPM_RC_POLICY.\"",
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
        name: "hash ticket with another scheme",
        is: |case| {
            case.code == Cc::SIGN
                && case.codes.theirs == Rc::TICKET.at(Subject::Parameter(3))
                && case.codes.ours == Rc::SIZE.at(Subject::Parameter(1))
        },
        reason: "Part 2, TPMT_TK_HASHCHECK: the HMAC is over \"(TPM_ST_HASHCHECK ∥ digest)\"; libtpms puts the hash of the scheme \
                 into it, so that to it the ticket of a digest of another size is wrong before the size is.",
    },
    Known {
        name: "counter of TPM2_Commit that is out of range",
        is: |case| {
            let at_counter = case.code == Cc::ZGEN_2PHASE && case.codes.ours == Rc::RANGE.at(Subject::Parameter(4));
            !case.codes.theirs.is_success() && at_counter
                || case.codes.theirs == Rc::VALUE && case.codes.ours == Rc::RANGE
        },
        reason: "Part 1, \"verify that t - 2𝑁 < counter < t else return TPM_RC_RANGE\"; libtpms looks at it when it signs, after all \
                 else, and says TPM_RC_VALUE.",
    },
    Known {
        name: "certificate: handles in the other order",
        is: |case| {
            case.code == Cc::CERTIFY_X509
                && case.codes.theirs.base() == case.codes.ours.base()
                && case.codes.theirs.subject() != case.codes.ours.subject()
        },
        reason: "Part 3, CertifyX509: objectHandle is the first handle, signHandle the second; in libtpms 0.9.2 the names of both \
                 are exchanged.",
    },
    Known {
        name: "certificate: key usage that the key has not",
        is: |case| {
            case.code == Cc::CERTIFY_X509
                && (case.codes.theirs.is_success() || case.codes.theirs == Rc::VALUE.at(Subject::Parameter(3)))
                && case.codes.ours == Rc::ATTRIBUTES.at(Subject::Handle(1))
        },
        reason: "Part 3, CertifyX509: \"verify that the attributes of objectHandle are consistent with the selected values \
                 (TPM_RC_ATTRIBUTES)\"; Part 2, TPMA_X509_KEY_USAGE, of keyEncipherment: \"asymmetric key with \
                 Attributes.decrypt and Attributes.restricted SET\". libtpms says TPM_RC_VALUE, and asks for restricted where a \
                 key is for agreement.",
    },
    Known {
        name: "certificate with several faults",
        is: |case| {
            let fails = !case.codes.theirs.is_success() && !case.codes.ours.is_success();
            case.code == Cc::CERTIFY_X509 && fails && !case.changes.is_empty()
        },
        reason: "Part 3, \"Command Processing\": \"Unless stated otherwise, the order of the checks is not normative\". Ours reads \
                 the whole partial certificate first, libtpms part by part, between its other checks.",
    },
    Known {
        name: "import of halves that do not bind",
        is: |case| {
            case.code == Cc::IMPORT
                && case.codes.theirs.is_success()
                && matches!(case.codes.ours.base(), Rc::BINDING | Rc::ECC_POINT | Rc::KEY | Rc::KEY_SIZE | Rc::SIZE)
        },
        reason: "Part 3, Import: \"It is not necessary to validate that the sensitive area data is cryptographically bound to the \
                 public area\". Ours does, libtpms only under a parent with fixedTPM.",
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
        name: "public area that persists",
        is: |case| {
            case.code == Cc::EVICT_CONTROL
                && case.codes.theirs == Rc::ATTRIBUTES.at(Subject::Handle(2))
                && matches!(
                    case.codes.ours.base(),
                    Rc::SUCCESS | Rc::HIERARCHY | Rc::RANGE | Rc::NV_DEFINED | Rc::NV_SPACE
                )
        },
        reason: "Part 3, EvictControl: \"Support for persisting public-only objects was added in version 185.\"",
    },
    Known {
        name: "external key whose point is not on its curve, or not its own",
        is: |case| {
            case.code == Cc::LOAD_EXTERNAL
                && matches!(case.codes.theirs.base(), Rc::SUCCESS | Rc::BINDING)
                && matches!(case.codes.ours.base(), Rc::ECC_POINT | Rc::BINDING)
        },
        reason: "Part 3, LoadExternal, if nameAlg is TPM_ALG_NULL: \"The TPM will still perform cryptographic validity checks \
                 (e.g., the ECC public point is on the curve) and public/private key pair consistency checks.\" libtpms makes \
                 neither then; and where it compares with the private key it does not ask for the curve.",
    },
    Known {
        name: "external RSA key whose modulus or exponent is even",
        is: |case| {
            case.code == Cc::LOAD_EXTERNAL
                && matches!(case.codes.theirs.base(), Rc::SUCCESS | Rc::BINDING)
                && matches!(case.codes.ours.base(), Rc::KEY | Rc::VALUE)
                && shape::public(case).is_some_and(|public| is_even(&public))
        },
        reason: "Part 2, TPMS_RSA_PARMS, exponent: \"an odd number greater than 2\"; libtpms does not look, and \
                 finds that no private exponent belongs to it.",
    },
    Known {
        name: "zeros before a number of an anonymous signature",
        is: |case| {
            let is_size = |field: &(&str, _)| matches!(field.0, "signature size" | "size");
            case.field.as_ref().is_some_and(is_size) && has_scheme(case, &[0x1A, 0x1C])
        },
        reason: "Part 2, TPMS_SIGNATURE_ECC: two TPM2B_ECC_PARAMETER, of which nothing says that they are padded; ours pads them to \
                 the size of the curve, libtpms those of ECDSA alone.",
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
        reason: "Part 1, \"Orderly Shutdown of Clock\": \"Since time is not lost, Clock will not appear to go backwards and Safe \
                 can be SET.\" Ours keeps Clock ahead of what it has told, so that safe is YES; in libtpms it is NO after a loss \
                 of power until its clock of the real time has passed an interval.",
    },
    Known {
        name: "another mode than CFB",
        is: |case| {
            (makes_an_object(case.code) || case.code == Cc::DUPLICATE)
                && case.codes.ours.base() == Rc::MODE
                && case.codes.theirs != case.codes.ours
        },
        reason: "Part 2, TPMT_SYM_DEF_OBJECT, mode: \"this shall be TPM_ALG_CFB\" in a parent, and it is the mode of \
                 an inner wrapper (Part 1, \"Inner Duplication Wrapper\"); libtpms takes the others too, and encrypts with CFB.",
    },
    Known {
        name: "inner wrapper under another key",
        is: |case| {
            case.code == Cc::IMPORT
                && matches!(case.codes.theirs.base(), Rc::SIZE | Rc::INSUFFICIENT)
                && case.codes.ours == Rc::INTEGRITY.at(Subject::Parameter(3))
        },
        reason: "Part 3, Import: \"Use the TPM2B_DIGEST at the start of the inner blob to verify the integrity of the inner blob \
                 (TPM_RC_INTEGRITY).\" libtpms reads its size first, which is any number when the key is another.",
    },
    Known {
        name: "octets that nobody wrote",
        is: |case| {
            let unwritten = |values: &Both<Vec<u8>>| {
                values.ours.len() == values.theirs.len()
                    && values
                        .ours
                        .iter()
                        .zip(&values.theirs)
                        .all(|(ours, theirs)| ours == theirs || (*ours, *theirs) == (0xFF, 0))
            };
            let is_pin = case.of_type(NvType::PinFail) || case.of_type(NvType::PinPass);
            is_pin && case.codes.theirs == Rc::AUTH_UNAVAILABLE
                || matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY)
                    && case.field.as_ref().is_some_and(|(_, values)| unwritten(values))
                || case.code == Cc::POLICY_NV
                    && case.indices.iter().any(|attributes| attributes.contains(TpmaNv::ORDERLY))
                    && (case.codes.theirs == Rc::POLICY || case.codes.ours == Rc::POLICY)
        },
        reason: "Nothing says what an index holds where a first TPM2_NV_Write left it out: 0xFF here and in libtpms, but zero where it \
                 is a PIN of ours, or orderly and of libtpms.",
    },
    Known {
        name: "trial policy of PCR that are not there",
        is: |case| case.trial_pcrs && case.code == Cc::POLICY_GET_DIGEST && case.field.is_some(),
        reason: "Part 3, PolicyPCR, of a trial session: \"pcrs is the input parameter without modification\"; libtpms takes out \
                 the PCR that no bank has since TPM2_PCR_Allocate.",
    },
    Known {
        name: "external key with several faults",
        is: |case| {
            matches!(case.code, Cc::LOAD_EXTERNAL | Cc::IMPORT)
                && !case.changes.is_empty()
                && case.codes.theirs.base() == Rc::KEY_SIZE
                && case.codes.ours == Rc::KEY.at(Subject::Parameter(2))
        },
        reason: "Part 3, \"Command Processing\": \"Unless stated otherwise, the order of the checks is not normative\". Ours looks at \
                 the unique field first, libtpms at the sizes in the sensitive area; another nameAlg makes both wrong.",
    },
    Known {
        name: "NV handle of a later version",
        is: |case| {
            let Some(Subject::Handle(number)) = case.codes.theirs.subject() else { return false };
            let at = 10 + 4 * (usize::from(number) - 1);
            let is_new = case.commands.ours.get(at).is_some_and(|kind| matches!(kind, 0x11 | 0x12));
            is_new && case.codes.theirs.base() == Rc::VALUE && case.codes.ours.base() == Rc::HANDLE
        },
        reason: "Part 2, TPMI_RH_NV_INDEX: \"one of TPM_HT_NV_INDEX, TPM_HT_EXTERNAL_NV, or TPM_HT_PERMANENT_NV\"; of these \
                 libtpms knows the first.",
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
        name: "certified digest without a scheme",
        is: |case| {
            case.code == Cc::NV_CERTIFY
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::SCHEME.at(Subject::Parameter(2))
        },
        reason: "Part 3, NV_Certify: the digest of the whole index is of the hash of the signing scheme; libtpms takes SHA-256 \
                 where there is neither key nor scheme.",
    },
    Known {
        name: "signature of another scheme",
        is: |case| case.code == Cc::VERIFY_SIGNATURE && case.codes.ours == Rc::SCHEME.at(Subject::Parameter(2)),
        reason: "Part 3, VerifySignature: a signature whose scheme is not that of the key is TPM_RC_SCHEME; libtpms compares it \
                 all the same, and says TPM_RC_SIGNATURE.",
    },
    Known {
        name: "dictionary attack with no tries",
        is: |case| {
            let locked = |values: &Both<Vec<u8>>| only_in_lockout(&values.theirs, &values.ours);
            case.codes.theirs == Rc::LOCKOUT
                || case.no_tries && case.field.as_ref().is_some_and(|(_, values)| locked(values))
        },
        reason: "Part 3, DictionaryAttackParameters: \"If newRecoveryTime is zero, then DA protection is disabled.\" libtpms \
                 looks at newMaxTries alone, and at the authorization after the lockout.",
    },
    Known {
        name: "exclusive from the first use",
        is: |case| case.codes.ours == Rc::EXCLUSIVE,
        reason: "Part 2, TPMA_SESSION, auditExclusive: \"the command should only be executed if the session is exclusive at the \
                 start of the command\". libtpms lets the first use of a session, and one with auditReset, pass.",
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
        name: "certified sequence",
        is: |case| {
            case.code == Cc::CERTIFY
                && matches!(case.codes.theirs, Rc::SUCCESS | Rc::VALUE)
                && case.codes.ours == Rc::TYPE.at(Subject::Handle(1))
        },
        reason: "A sequence object has no Name to be certified (Part 1: \"The Name of a sequence object is an Empty Buffer\"); \
                 libtpms signs an empty one, if it can sign.",
    },
    Known {
        name: "trial policy that would fail",
        is: |case| {
            let fails = case.codes.ours.is_success() || case.codes.theirs == Rc::CPHASH;
            case.trial && fails && crate::seal::is_policy(case.code)
        },
        reason: "Part 3, for each assertion: \"If policySession is a trial policy session, the TPM will update \
                 policySession→policyDigest ... and return TPM_RC_SUCCESS. It will not perform any further validation.\"",
    },
    Known {
        name: "certificate key that does not sign",
        is: |case| {
            makes_an_object(case.code)
                && case.codes.ours == Rc::ATTRIBUTES.at(Subject::Parameter(2))
                && shape::public(case).is_some_and(|public| !may_sign_certificates(&public))
        },
        reason: "Part 2, TPMA_OBJECT, x509sign: \"This attribute may not be SET if the object is not an asymmetric key or if sign \
                 is CLEAR.\" libtpms does not look.",
    },
    Known {
        name: "PIN that a policy asks for, unwritten or used up",
        is: |case| {
            (case.of_type(NvType::PinFail) || case.of_type(NvType::PinPass))
                && case.codes.ours == Rc::AUTH_UNAVAILABLE
                && case.commands.ours.windows(4).any(|bytes| bytes[0] == 3 && bytes[1..3] == [0, 0])
        },
        reason: "Part 1, \"If the authValue of an PIN Index is used for authorization, then the authorization will fail if the \
                 pinCount field of the Index is not less than the pinLimit field\". libtpms does not look in a policy session.",
    },
    Known {
        name: "public area of a symmetric object",
        is: |case| {
            let is_symmetric =
                |public: TpmtPublic| matches!(public.kind(), PublicAlg::KeyedHash | PublicAlg::SymCipher);
            case.code == Cc::LOAD_EXTERNAL
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::KEY.at(Subject::Parameter(2))
                && shape::public(case).is_some_and(is_symmetric)
        },
        reason: "Part 3, LoadExternal: a public area alone can be loaded with any unique field; libtpms wants one of the size of \
                 the nameAlg even where that is TPM_ALG_NULL.",
    },
    Known {
        name: "PIN that reads its own index",
        is: |case| {
            matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY | Cc::POLICY_NV | Cc::POLICY_AUTHORIZE_NV)
                && (case.of_type(NvType::PinFail) || case.of_type(NvType::PinPass))
                && case.codes.ours == Rc::AUTH_UNAVAILABLE
        },
        reason: "Part 3, \"Authorization Checks\": \"the TPMA_NV_AUTHREAD attribute of the NV Index is SET if the command reads \
                 the NV Index data or is TPM2_PolicySecret (TPM_RC_AUTH_UNAVAILABLE).\" Of PolicySecret alone is said: \"If \
                 authEntity references a non-PIN Index. TPMA_NV_AUTHREAD is required to be SET in the Index.\"",
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
        name: "failure of libtpms",
        is: |case| case.codes.theirs == Rc::FAILURE,
        reason: "libtpms goes into failure mode (EntityGetAuthValue, for a signing key that is a sequence object). That no \
                 command does so is a promise of ours.",
    },
    Known {
        name: "PCR that locality 4 resets",
        is: |case| {
            case.field.as_ref().is_some_and(|(_, values)| values.ours.starts_with(b"PcrProperties"))
                || case.code == Cc::PCR_RESET && case.locality == 4 && case.codes.theirs == Rc::LOCALITY
        },
        reason: "PC Client Platform TPM Profile, PCR attributes: locality 4 resets PCR 16 and PCR 20 to 23 like those below it \
                 that may; libtpms lets it reset none with TPM2_PCR_Reset.",
    },
    Known {
        name: "response to a new authValue in a bound session",
        is: |case| {
            matches!(case.code, Cc::HIERARCHY_CHANGE_AUTH | Cc::NV_CHANGE_AUTH)
                && case.field.as_ref().is_some_and(|(name, _)| *name == "sessions")
        },
        reason: "Part 1, \"Session Binding\": a session is bound to an entity with its authValue; after the change libtpms takes \
                 the session for unbound in the response already.",
    },
    Known {
        name: "hierarchy that enables itself",
        is: |case| {
            case.code == Cc::HIERARCHY_CONTROL && case.codes.theirs.is_success() && case.codes.ours == Rc::AUTH_TYPE
        },
        reason: "Part 3, HierarchyControl: the enables of owner and endorsement are SET with Platform Authorization alone \
                 (TPM_RC_AUTH_TYPE); libtpms lets a hierarchy that is enabled say so again.",
    },
    Known {
        name: "chaining value after part of a block",
        is: |case| {
            let partial = |values: &Both<Vec<u8>>| {
                let size = values.ours.first_chunk().map_or(0, |size| usize::from(u16::from_be_bytes(*size)));
                !size.is_multiple_of(16) && values.ours.get(..2 + size) == values.theirs.get(..2 + size)
            };
            matches!(case.code, Cc::ENCRYPT_DECRYPT | Cc::ENCRYPT_DECRYPT2)
                && case.field.as_ref().is_some_and(|(_, values)| partial(values))
        },
        reason: "Part 3, EncryptDecrypt2: ivOut is for the next block, which begins after a whole one; what stands behind the \
                 last part of a block is zero here and the rest of the key stream in libtpms.",
    },
    Known {
        name: "first value of a counter",
        is: |case| {
            case.of_type(NvType::Counter)
                && (matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY) && case.field.is_some()
                    || case.code == Cc::POLICY_NV && (case.codes.theirs == Rc::POLICY || case.codes.ours == Rc::POLICY))
        },
        reason: "Part 3, NV_Increment: \"the TPM shall initialize the 8-octet counter value with a number that is greater than \
                 any value that a counter Index with the same Name has had\". Ours starts above every counter that there is or \
                 was; libtpms above those that were deleted, rounded up to MAX_ORDERLY_COUNT where one was orderly.",
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
        name: "nonce of another session",
        is: |case| {
            case.codes.theirs == Rc::NONCE.at(Subject::Parameter(1))
                && case.codes.ours == Rc::VALUE.at(Subject::Parameter(1))
        },
        reason: "Part 3, PolicySigned, of nonceTPM: \"If this parameter is not the Empty Buffer, and it does not match \
                 policySession→nonceTPM, then the TPM shall return TPM_RC_VALUE.\"",
    },
    Known {
        name: "order of two negative numbers",
        is: |case| {
            let is_signed = |(operand, _, operation): (&[u8], u32, u32)| {
                let is_negative = operand.first().is_some_and(|first| first & 0x80 != 0);
                matches!(operation, 2 | 4 | 6 | 8) && (is_negative || is_encrypted(&case.commands.ours))
            };
            matches!(case.code, Cc::POLICY_NV | Cc::POLICY_COUNTER_TIMER)
                && matches!((case.codes.theirs, case.codes.ours), (Rc::POLICY, Rc::SUCCESS) | (Rc::SUCCESS, Rc::POLICY))
                && shape::comparison(case).is_some_and(is_signed)
        },
        reason: "Part 3, PolicyNV: \"The signed arithmetic operations are performed using twos-complement\"; libtpms orders \
                 negative numbers by their bits the wrong way round, so that -1 is less than -58.",
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
        reason: "Part 2, TPM2B_NAME: \"{:sizeof(TPMU_NAME)}\", which is a TPMT_HA of at most 66 octets; a compiler pads it to 68 \
                 for the TPM_HANDLE beside it.",
    },
    Known {
        name: "certificate: identifier of RSAPSS with SHA-1",
        is: |case| {
            let with_null = |values: &Both<Vec<u8>>| with_empty_parameters(&values.theirs) == values.ours;
            case.code == Cc::CERTIFY_X509 && case.field.as_ref().is_some_and(|(_, values)| with_null(values))
        },
        reason: "RFC 4055, section 3.1: with id-RSASSA-PSS the parameters are RSASSA-PSS-params, a SEQUENCE that is empty where \
                 all is default; libtpms writes NULL.",
    },
    Known {
        name: "certificate: tags that are passed over",
        is: |case| {
            case.code == Cc::CERTIFY_X509
                && !case.changes.is_empty()
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::VALUE.at(Subject::Parameter(3))
        },
        reason: "Part 3, CertifyX509: partialCertificate is \"a DER encoded partial certificate\"; libtpms skips parts without a \
                 look at their tags.",
    },
    Known {
        name: "handles of countdown timers",
        is: |case| {
            let is_list = |values: &Both<Vec<u8>>| values.ours.starts_with(b"Handles([0x400");
            case.code == Cc::GET_CAPABILITY && case.field.as_ref().is_some_and(|(_, values)| is_list(values))
        },
        reason: "Part 2, TPM_RH: TPM_RH_ACT_0 and the next are permanent handles of a TPM that has Authenticated Countdown Timers; \
                 libtpms has none.",
    },
    Known {
        name: "sequence command on no sequence",
        is: |case| {
            matches!(case.code, Cc::SEQUENCE_UPDATE | Cc::SEQUENCE_COMPLETE | Cc::EVENT_SEQUENCE_COMPLETE)
                && case.codes.theirs.base() == Rc::MODE
                && case.codes.ours.base() == Rc::MODE
        },
        reason: "TPM_RC_MODE is about the handle, which is no parameter.",
    },
];

/// Finds what explains a case.
#[must_use]
pub fn explain(case: &Case) -> Option<&'static Known> {
    ALL.iter().find(|known| (known.is)(case))
}

/// Commands and algorithms that one of both lacks.
#[must_use]
pub fn command(code: u32) -> bool {
    evtpm_testing_foreign::replay::compare::COMMANDS.iter().any(|(known, _)| known.0 & 0xFFFF == code & 0xFFFF)
        || (0x198..0x1C0).contains(&(code & 0xFFFF))
}

/// Algorithms that one of both lacks.
#[must_use]
pub fn algorithm(id: TpmAlgId) -> bool {
    evtpm_testing_foreign::replay::compare::ALGORITHMS.iter().any(|(known, _)| *known == id)
}

/// Properties in which one maker's TPM differs from another's.
#[must_use]
pub fn property(property: TpmPt) -> bool {
    // Version and date of the specifications, numbers of commands, sizes of buffers and of what is split.
    // How often the clock is stored, and how many more persistent objects, counters and curves there is room for.
    matches!(property.0, 0x102..=0x104 | 0x10F | 0x119 | 0x121..=0x12E | 0x209 | 0x20B | 0x20D)
        || evtpm_testing_foreign::replay::compare::PROPERTIES.iter().any(|(known, _)| *known == property)
}
