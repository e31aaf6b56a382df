// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates of TPM2_CertifyX509.

use evtpm_tpm_wire::{Cc, Rc, Subject};

use super::Known;
use crate::both::Both;
use crate::shape::with_empty_parameters;

pub(super) const KNOWN: &[Known] = &[
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
                && (matches!(case.codes.theirs, Rc::SUCCESS | Rc::VALUE)
                    || case.codes.theirs == Rc::VALUE.at(Subject::Parameter(3)))
                && case.codes.ours == Rc::ATTRIBUTES.at(Subject::Handle(1))
        },
        reason: "Part 3, CertifyX509: \"verify that the attributes of objectHandle are consistent with the selected values \
                 (TPM_RC_ATTRIBUTES)\"; by Part 2, TPMA_X509_KEY_USAGE, keyEncipherment asks for decrypt and restricted. \
                 libtpms says TPM_RC_VALUE, and asks for restricted where a key is for agreement; the counter of an \
                 anonymous signature (TPM_RC_VALUE alone) it looks at before.",
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
];
