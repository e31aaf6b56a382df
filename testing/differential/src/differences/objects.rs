// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Objects: public and private areas that are made, loaded, moved and kept.

use evtpm_tpm_wire::{Cc, PublicAlg, Rc, Subject, TpmtPublic};

use super::Known;
use crate::shape::{self, has_small_exponent, is_even, makes_an_object, may_sign_certificates};

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "HMAC key that leaves its scheme open",
        is: |case| makes_an_object(case.code) && case.codes.theirs == Rc::SCHEME.at(Subject::Parameter(2)),
        reason: "Part 3, Create, \"keyedHash object\": TPM_RC_SCHEME is for \"If sign and decrypt are both CLEAR, or if \
                 sign and decrypt are both SET\" and a scheme; one that signs may leave the scheme to its user. libtpms \
                 refuses it, and before other checks.",
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
        name: "certificate key that does not sign",
        is: |case| {
            makes_an_object(case.code)
                && case.codes.ours == Rc::ATTRIBUTES.at(Subject::Parameter(2))
                && shape::public(case).is_some_and(|public| !may_sign_certificates(&public))
        },
        reason: "Part 2, TPMA_OBJECT: x509sign says something of a key that signs alone, and ours takes it for nothing \
                 else; libtpms does not look.",
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
        name: "symmetric key as long as a digest",
        is: |case| {
            case.code == Cc::LOAD_EXTERNAL
                && case.codes.theirs == Rc::SIZE.at(Subject::Parameter(1))
                && shape::symmetric_key_size(case).is_some_and(|size| (33..=64).contains(&size))
        },
        reason: "Part 2, TPM2B_SYM_KEY: MAX_SYM_KEY_BYTES is \"the larger of the largest symmetric key supported by the TPM and the \
                 largest digest\", so that ours reads 64 octets and then compares them with keyBits; libtpms reads no more \
                 than 32.",
    },
    Known {
        name: "external key whose point is not on its curve, or not its own",
        is: |case| {
            case.code == Cc::LOAD_EXTERNAL
                && matches!(case.codes.theirs.base(), Rc::SUCCESS | Rc::BINDING)
                && matches!(case.codes.ours.base(), Rc::ECC_POINT | Rc::BINDING)
        },
        reason: "Part 3, LoadExternal: \"For an ECC object, the TPM will verify that the public key is on the curve of the \
                 key before the public area is used.\" Ours looks at once, and compares with a private key whatever the \
                 nameAlg; libtpms does neither with TPM_ALG_NULL, and where it compares it does not ask for the curve.",
    },
    Known {
        name: "external RSA key whose modulus or exponent is even",
        is: |case| {
            case.code == Cc::LOAD_EXTERNAL
                && matches!(case.codes.theirs.base(), Rc::SUCCESS | Rc::BINDING)
                && matches!(case.codes.ours.base(), Rc::KEY | Rc::VALUE)
                && shape::public(case).is_some_and(|public| is_even(&public))
        },
        reason: "Part 2, TPMS_RSA_PARMS, exponent: \"an odd number greater than 2\"; libtpms does not look, and finds that \
                 no private exponent belongs to it.",
    },
    Known {
        name: "external key with several faults",
        is: |case| {
            matches!(case.code, Cc::LOAD_EXTERNAL | Cc::IMPORT)
                && !case.changes.is_empty()
                && case.codes.theirs.base() == Rc::KEY_SIZE
                && case.codes.ours.subject() == Some(Subject::Parameter(2))
                && matches!(case.codes.ours.base(), Rc::KEY | Rc::ECC_POINT)
        },
        reason: "Part 3, \"Command Processing\": \"Unless stated otherwise, the order of the checks is not normative\". Ours looks at \
                 the unique field first, libtpms at the sizes in the sensitive area; another nameAlg or curve makes both wrong.",
    },
    Known {
        name: "RSA exponent of 3 or 5",
        is: |case| {
            matches!(case.code, Cc::LOAD_EXTERNAL | Cc::IMPORT)
                && case.codes.theirs == Rc::VALUE.at(Subject::Parameter(2))
                && shape::public(case).is_some_and(|public| has_small_exponent(&public))
        },
        reason: "Part 2, TPMS_RSA_PARMS, exponent: \"an odd number greater than 2\"; libtpms takes none below 7.",
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
        name: "saved object with stClear behind TPM2_Clear",
        is: |case| {
            let saved_handle = shape::parameters(&case.commands.ours).get(8..12);
            case.code == Cc::CONTEXT_LOAD
                && saved_handle == Some(&[0x80, 0, 0, 2])
                && case.codes.theirs == Rc::INTEGRITY.at(Subject::Parameter(1))
                && case.codes.ours.is_success()
        },
        reason: "Part 1, \"Context Management\": with stClear, saved contexts \"are invalidated on either TPM Reset or TPM Restart\". \
                 libtpms' TPM2_Clear sets the counter of restarts to zero too, and contexts of every hierarchy end after one.",
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
];
