// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures, attestations, encryption and hash sequences.

use evtpm_tpm_wire::{Cc, Handle, Rc, Subject};

use super::Known;
use crate::both::Both;
use crate::shape::{self, has_scheme};

pub(super) const KNOWN: &[Known] = &[
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
        name: "RSA_Decrypt of what has no padding",
        is: |case| case.code == Cc::RSA_DECRYPT && case.codes.theirs == Rc::FAILURE,
        reason: "Part 3, RSA_Decrypt: \"If the padding checks fail, TPM_RC_VALUE is returned.\" libtpms takes OpenSSL's refusal \
                 for a failure of the TPM.",
    },
    Known {
        name: "quote without a key",
        is: |case| {
            case.code == Cc::QUOTE
                && case.codes.ours.is_success()
                && case.codes.theirs == Rc::SCHEME.at(Subject::Parameter(2))
        },
        reason: "Part 3, Quote: \"If signHandle is TPM_RH_NULL, the TPMS_ATTEST structure is returned and signature is a \
                 NULL Signature.\" Up to version 1.59 it had a note that a TPM \"may optionally return TPM_RC_SCHEME\" \
                 then.",
    },
    Known {
        name: "certified digest without a key",
        is: |case| {
            let is_empty = |values: &Both<Vec<u8>>| values.theirs.ends_with(b"nv_digest:  })");
            let is_unsigned =
                case.code == Cc::NV_CERTIFY && shape::handles(&case.commands.ours).next() == Some(Handle::NULL.0);
            is_unsigned
                && (case.codes.theirs.is_success() && case.codes.ours == Rc::SCHEME.at(Subject::Parameter(2))
                    || case.field.as_ref().is_some_and(|(name, values)| *name == "attested" && is_empty(values)))
        },
        reason: "Part 3, NV_Certify: the digest of the whole index is of the hash of the signing scheme; libtpms leaves it empty \
                 where there is no key, whatever scheme is named.",
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
        name: "signature of another scheme",
        is: |case| case.code == Cc::VERIFY_SIGNATURE && case.codes.ours == Rc::SCHEME.at(Subject::Parameter(2)),
        reason: "Part 3, VerifySignature: a signature whose scheme is not that of the key is TPM_RC_SCHEME; libtpms compares it \
                 all the same, and says TPM_RC_SIGNATURE.",
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
        name: "counter of TPM2_Commit that is out of range",
        is: |case| {
            let at_counter = case.code == Cc::ZGEN_2PHASE && case.codes.ours == Rc::RANGE.at(Subject::Parameter(4));
            !case.codes.theirs.is_success() && at_counter
                || case.codes.theirs == Rc::VALUE && case.codes.ours == Rc::RANGE
        },
        reason: "Part 1, in the annex about elliptic curves: a counter that is not among the latest is TPM_RC_RANGE; \
                 libtpms looks at it when it signs, after all else, and says TPM_RC_VALUE.",
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
        name: "sequence command on no sequence",
        is: |case| {
            matches!(case.code, Cc::SEQUENCE_UPDATE | Cc::SEQUENCE_COMPLETE | Cc::EVENT_SEQUENCE_COMPLETE)
                && case.codes.theirs.base() == Rc::MODE
                && case.codes.ours.base() == Rc::MODE
        },
        reason: "TPM_RC_MODE is about the handle, which is no parameter.",
    },
];
