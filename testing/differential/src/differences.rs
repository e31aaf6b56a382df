// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The one list of differences between libtpms 0.9.2 and our TPM that are not our faults, each with its reason.
//!
//! libtpms 0.9.2 follows version 1.59 of the library specification, ours version 185; quotations are from the latter.

use evtpm_tpm_wire::{Cc, Rc, Subject, TpmAlgId, TpmPt};

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
        is: |case| case.codes.theirs == Rc::SIZE && case.codes.ours == Rc::AUTHSIZE,
        reason: "Part 3, \"Session Area Validation\": \"the TPM will attempt to unmarshal an authorizationSize and return \
                 TPM_RC_AUTHSIZE if the value is not within an acceptable range.\"",
    },
    Known {
        name: "authorization by what is no session",
        is: |case| session_code(case, Rc::VALUE, Rc::HANDLE),
        reason: "Part 3, \"Session Area Validation\": \"If the session handle is not a handle for an HMAC session, a handle \
                 for a policy session, or, TPM_RS_PW then the TPM shall return TPM_RC_HANDLE.\"",
    },
    Known {
        name: "unwritten NV index, before its authValue",
        is: |case| case.codes.ours == Rc::NV_UNINITIALIZED && !case.codes.theirs.is_success(),
        reason: "Part 1: \"If an Index has been defined and not written, then any operation on the NV Index that requires \
                 read authorization will fail\", a check that \"shall be performed before checking the NV Index authValue\".",
    },
    Known {
        name: "trial PolicyNV by who may not read",
        is: |case| {
            case.code == Cc::POLICY_NV && case.codes.theirs.is_success() && case.codes.ours == Rc::NV_AUTHORIZATION
        },
        reason: "Part 3, PolicyNV: \"The authorization to read the NV Index must succeed even if policySession is a trial \
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
            case.code == Cc::GET_CAPABILITY && case.codes.theirs.base() == Rc::VALUE && case.codes.ours.is_success()
        },
        reason: "Part 2, TPM_CAP: TPM_CAP_ACT was added after version 1.59.",
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
        reason: "Part 2, TPMS_ALGORITHM_DETAIL_ECC: \"if not TPM_ALG_NULL, the required KDF and hash algorithm used in secret \
                 sharing operations\". The NIST curves require none; libtpms names KDF1_SP800_56A.",
    },
    Known {
        name: "NV data in one command",
        is: |case| {
            matches!(case.code, Cc::NV_WRITE | Cc::NV_EXTEND) && case.codes.theirs == Rc::SIZE.at(Subject::Parameter(1))
                || matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY) && case.codes.theirs.base() == Rc::VALUE
                || case.codes.theirs.base() == Rc::VALUE && case.codes.ours == Rc::NV_RANGE
        },
        reason: "TPM_PT_NV_BUFFER_MAX is 1,024 in libtpms and 2,048 here; and libtpms checks the offset by itself, where Part \
                 3 names TPM_RC_NV_RANGE for what \"add to a value that is greater than the dataSize field of the NV Index\".",
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
                && case.codes.ours.is_success()
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
        reason: "Part 3, RSA_Decrypt: \"TPM_RC_VALUE\" if \"cipherText is not properly decrypted\"; libtpms takes OpenSSL's \
                 refusal for a failure of the TPM.",
    },
    Known {
        name: "lists of other lengths",
        is: |case| case.code == Cc::GET_CAPABILITY && case.field.as_ref().is_some_and(|(name, _)| *name == "moreData"),
        reason: "Part 3, GetCapability: moreData says whether there are more values than were asked for; the lists of \
                 algorithms, commands and curves are those of each TPM.",
    },
    Known {
        name: "algorithm of libtpms",
        is: |case| {
            case.codes.theirs.is_success()
                && !case.changes.is_empty()
                && [Rc::SYMMETRIC, Rc::SCHEME, Rc::HASH, Rc::KDF, Rc::ASYMMETRIC].contains(&case.codes.ours.base())
        },
        reason: "Part 2, TPM_ALG_ID: which algorithms there are is the choice of an implementation; libtpms has Camellia, \
                 TDES, SM2 and others besides ours. Only a mutated command names one.",
    },
    Known {
        name: "command that one of them lacks",
        is: |case| (case.codes.ours == Rc::COMMAND_CODE) != (case.codes.theirs == Rc::COMMAND_CODE),
        reason: "Part 3: which optional commands there are is the choice of an implementation. The list of those that ours \
                 lacks is `COMMANDS` in testing/foreign/src/replay/compare.rs; libtpms lacks those of later versions.",
    },
    Known {
        name: "slot for an object on the way",
        is: |case| case.codes.theirs == Rc::OBJECT_MEMORY,
        reason: "Part 3, \"Handle Area Validation\": \"if the TPM implementation moves a persistent object to RAM for command \
                 processing then sufficient RAM space is available (TPM_RC_OBJECT_MEMORY)\"; the code \"can be returned by any \
                 command that causes the TPM to need an object slot\". Ours needs none for what it does not load.",
    },
    Known {
        name: "PolicySigned without its signature",
        is: |case| case.code == Cc::POLICY_SIGNED && case.codes.ours == Rc::POLICY_FAIL.at(Subject::Parameter(5)),
        reason: "Part 3, PolicySigned: \"If auth does not contain a valid signature over toBeSigned, ... the TPM shall return \
                 TPM_RC_POLICY_FAIL\".",
    },
    Known {
        name: "signature of another scheme",
        is: |case| case.code == Cc::VERIFY_SIGNATURE && case.codes.ours == Rc::SCHEME.at(Subject::Parameter(2)),
        reason: "Part 3, VerifySignature: a signature whose scheme is not that of the key is TPM_RC_SCHEME; libtpms compares it \
                 all the same, and says TPM_RC_SIGNATURE.",
    },
    Known {
        name: "dictionary attack with no tries",
        is: |case| case.codes.theirs == Rc::LOCKOUT,
        reason: "Part 3, DictionaryAttackParameters: \"If newRecoveryTime is zero, then DA protection is disabled.\" libtpms \
                 looks at newMaxTries alone, and at the authorization after the lockout.",
    },
    Known {
        name: "PolicyAuthorize in a trial",
        is: |case| {
            case.code == Cc::POLICY_AUTHORIZE
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::HASH.at(Subject::Parameter(3))
        },
        reason: "Part 3, PolicyAuthorize: a trial session makes no checks of the ticket, to which the Name's algorithm belongs.",
    },
    Known {
        name: "banks of another size",
        is: |case| case.code == Cc::PCR_ALLOCATE && case.field.as_ref().is_some_and(|(name, _)| *name == "parameters"),
        reason: "Part 3, PCR_Allocate: sizeNeeded and sizeAvailable are in the implementation's own measure.",
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
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::TYPE.at(Subject::Handle(1))
        },
        reason: "A sequence object has no Name to be certified (Part 1: \"The Name of a sequence object is an Empty Buffer\"); \
                 libtpms signs an empty one.",
    },
    Known {
        name: "trial policy that would fail",
        is: |case| case.trial && case.codes.ours.is_success() && crate::seal::is_policy(case.code),
        reason: "Part 3, for each assertion: \"If policySession is a trial policy session, the TPM will update \
                 policySession→policyDigest ... and return TPM_RC_SUCCESS. It will not perform any further validation.\"",
    },
    Known {
        name: "certificate key that does not sign",
        is: |case| {
            makes_an_object(case.code) && case.codes.theirs.is_success() && case.codes.ours.base() == Rc::ATTRIBUTES
        },
        reason: "Part 2, TPMA_OBJECT, x509sign: \"shall be CLEAR if sign is CLEAR\"; libtpms loads the key all the same.",
    },
    Known {
        name: "public area of a symmetric object",
        is: |case| {
            case.code == Cc::LOAD_EXTERNAL
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::KEY.at(Subject::Parameter(2))
        },
        reason: "Part 3, LoadExternal: a public area alone can be loaded with any unique field; libtpms wants one of the size of \
                 the nameAlg even where that is TPM_ALG_NULL.",
    },
    Known {
        name: "PIN that reads its own index",
        is: |case| {
            matches!(case.code, Cc::NV_READ | Cc::NV_CERTIFY)
                && case.codes.theirs.is_success()
                && case.codes.ours == Rc::AUTH_UNAVAILABLE
        },
        reason: "Part 3, PolicySecret: only there need a PIN index have no AUTHREAD: \"If authEntity references a non-PIN Index, \
                 TPMA_NV_AUTHREAD is required to be SET in the Index.\"",
    },
    Known {
        name: "index that is written whole",
        is: |case| {
            case.code == Cc::NV_DEFINE_SPACE
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::SIZE.at(Subject::Parameter(2))
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
        is: |case| case.field.as_ref().is_some_and(|(_, values)| values.ours.starts_with(b"PcrProperties")),
        reason: "PC Client Platform TPM Profile, PCR attributes: libtpms does not let locality 4 reset PCR 16 and 23.",
    },
    Known {
        name: "banks after an allocation",
        is: |case| {
            matches!(case.code, Cc::PCR_EVENT | Cc::EVENT_SEQUENCE_COMPLETE | Cc::PCR_READ)
                && case
                    .field
                    .as_ref()
                    .is_some_and(|(name, values)| *name == "parameters" && values.ours.len() != values.theirs.len())
        },
        reason: "Part 3, PCR_Allocate: which banks exist after an allocation that keeps less than a platform needs is the choice \
                 of an implementation.",
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
            let partial = |values: &crate::both::Both<Vec<u8>>| {
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
        name: "counter after an orderly one",
        is: |case| {
            let is_count =
                |values: &crate::both::Both<Vec<u8>>| values.ours.len() == 10 && values.theirs.ends_with(&[0xFF]);
            case.code == Cc::NV_READ && case.field.as_ref().is_some_and(|(_, values)| is_count(values))
        },
        reason: "Part 1, NV Counters: a new counter starts above every one that was deleted. libtpms rounds an orderly counter \
                 up to MAX_ORDERLY_COUNT (255) when it is deleted; ours loses no count.",
    },
    Known {
        name: "algorithm of more than 16 bits",
        is: |case| {
            let capability = case.commands.ours.get(10..16);
            case.code == Cc::GET_CAPABILITY
                && capability.is_some_and(|bytes| bytes[..4] == [0; 4] && bytes[4..] != [0; 2])
        },
        reason: "Part 3, GetCapability: \"the property is a TPM_ALG_ID\", which has 16 bits; libtpms looks at the lower half of \
                 a property that has more.",
    },
    Known {
        name: "OPEN: authorization that libtpms alone refuses",
        is: |case| {
            matches!(case.codes.theirs.base(), Rc::BAD_AUTH | Rc::AUTH_FAIL) && case.codes.ours.base() != Rc::EXCLUSIVE
        },
        reason: "Not explained yet; up to one command in 1,000; the traces that were read had a session bound to an object (seeds 40 and \
                 1366). Either the harness or one of both computes the session key otherwise.",
    },
    Known {
        name: "handles of countdown timers",
        is: |case| {
            let is_list = |values: &crate::both::Both<Vec<u8>>| values.ours.starts_with(b"Handles([0x400");
            case.code == Cc::GET_CAPABILITY && case.field.as_ref().is_some_and(|(_, values)| is_list(values))
        },
        reason: "Part 2, TPM_RH: TPM_RH_ACT_0 and the next are permanent handles of a TPM that has Authenticated Countdown Timers; \
                 libtpms has none.",
    },
    Known {
        name: "several errors at once",
        is: |case| {
            let pair = (case.codes.theirs.base(), case.codes.ours.base());
            ORDER.contains(&pair)
        },
        reason: "Part 3, \"Command Processing\": \"Unless stated otherwise, the order of the checks is not normative and \
                 different TPM may give different responses when a command has multiple errors.\" The pairs are taken from recorded runs by their codes; not every one was traced to its two errors.",
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

/// Codes of libtpms and ours for commands that are wrong in two ways.
const ORDER: &[(Rc, Rc)] = &[
    (Rc::BINDING, Rc::ECC_POINT),
    (Rc::BAD_AUTH, Rc::ATTRIBUTES),
    (Rc::AUTH_FAIL, Rc::ATTRIBUTES),
    (Rc::AUTH_UNAVAILABLE, Rc::ATTRIBUTES),
    (Rc::AUTH_TYPE, Rc::ATTRIBUTES),
    (Rc::POLICY_FAIL, Rc::ATTRIBUTES),
    (Rc::TICKET, Rc::SIZE),
    (Rc::VALUE, Rc::POLICY_CC),
    (Rc::VALUE, Rc::OBJECT_MEMORY),
    (Rc::VALUE, Rc::SESSION_MEMORY),
    (Rc::ATTRIBUTES, Rc::SESSION_MEMORY),
    (Rc::HANDLE, Rc::SESSION_MEMORY),
    (Rc::SIZE, Rc::INSUFFICIENT),
    (Rc::SIZE, Rc::AUTH_CONTEXT),
    (Rc::VALUE, Rc::TYPE),
    (Rc::VALUE, Rc::SCHEME),
    (Rc::VALUE, Rc::KEY),
    (Rc::VALUE, Rc::ATTRIBUTES),
    (Rc::VALUE, Rc::KEY_SIZE),
    (Rc::TYPE, Rc::SIZE),
    (Rc::SCHEME, Rc::TYPE),
    (Rc::KEY, Rc::SCHEME),
    (Rc::ATTRIBUTES, Rc::SCHEME),
    (Rc::HANDLE, Rc::SCHEME),
    (Rc::SIZE, Rc::ATTRIBUTES),
    (Rc::HANDLE, Rc::REFERENCE_H0),
    (Rc::VALUE, Rc::REFERENCE_H0),
    (Rc::VALUE, Rc::REFERENCE_H1),
    (Rc::SIZE, Rc::NV_RANGE),
    (Rc::ATTRIBUTES, Rc::OBJECT_MEMORY),
    (Rc::TYPE, Rc::OBJECT_MEMORY),
    (Rc::HANDLE, Rc::ATTRIBUTES),
    (Rc::HANDLE, Rc::HANDLE),
    (Rc::PP, Rc::ATTRIBUTES),
    (Rc::AUTH_UNAVAILABLE, Rc::POLICY_FAIL),
    (Rc::AUTH_TYPE, Rc::AUTH_UNAVAILABLE),
    (Rc::KEY, Rc::OBJECT_MEMORY),
    (Rc::KEY, Rc::SESSION_MEMORY),
    (Rc::SCHEME, Rc::KEY),
    (Rc::SCHEME, Rc::OBJECT_MEMORY),
    (Rc::SYMMETRIC, Rc::HASH),
    (Rc::SIZE, Rc::VALUE),
    (Rc::SIZE, Rc::HASH),
    (Rc::CPHASH, Rc::SIZE),
    (Rc::NV_UNINITIALIZED, Rc::LOCKOUT),
    (Rc::VALUE, Rc::HANDLE),
    (Rc::VALUE, Rc::SIZE),
    (Rc::VALUE, Rc::ECC_POINT),
    (Rc::VALUE, Rc::TAG),
    (Rc::HANDLE, Rc::REFERENCE_S0),
    (Rc::HANDLE, Rc::REFERENCE_H2),
];

fn makes_an_object(code: Cc) -> bool {
    matches!(
        code,
        Cc::CREATE
            | Cc::CREATE_PRIMARY
            | Cc::CREATE_LOADED
            | Cc::LOAD
            | Cc::LOAD_EXTERNAL
            | Cc::IMPORT
            | Cc::TEST_PARMS
    )
}

fn session_code(case: &Case, theirs: Rc, ours: Rc) -> bool {
    matches!(case.codes.theirs.subject(), Some(Subject::Session(_)))
        && case.codes.theirs.subject() == case.codes.ours.subject()
        && case.codes.theirs.base() == theirs
        && case.codes.ours.base() == ours
}

/// Compares two descriptions of sessions that may differ by bit 2 of the attributes.
fn only_audit_reset(theirs: &[u8], ours: &[u8]) -> bool {
    let cleared = |shape: &[u8]| {
        let text = String::from_utf8_lossy(shape).into_owned();
        let mut out = String::new();
        for part in text.split("TpmaSession(").enumerate() {
            match part {
                (0, before) => out += before,
                (_, rest) => {
                    let (number, after) = rest.split_once(')').unwrap_or((rest, ""));
                    out += &format!("{:?}{after}", number.parse::<u8>().map(|bits| bits & !4));
                }
            }
        }
        out
    };
    cleared(theirs) == cleared(ours)
}

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
