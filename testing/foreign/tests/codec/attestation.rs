// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Attestation Commands".

use evtpm_client::{Auth, SessionOptions};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

use crate::stage::{Case, Stage, object};

pub(crate) const CASES: &[Case] = &[
    Case {
        code: Cc::CERTIFY,
        play: |stage| {
            let object_handle = object(stage.signer().0.handle);
            let (sign_handle, in_scheme) = stage.attester();
            let command = Certify { qualifying_data: stage.some(66), in_scheme };
            stage.run(CertifyHandles { object_handle, sign_handle }, &command);
        },
    },
    Case {
        code: Cc::CERTIFY_CREATION,
        play: |stage| {
            let made = stage.primary_with(evtpm_protocol::templates::attestation_key(), &[], &[]);
            let (sign_handle, in_scheme) = stage.attester();
            let handles = CertifyCreationHandles { sign_handle, object_handle: object(made.object_handle) };
            let command = CertifyCreation {
                qualifying_data: stage.some(66),
                creation_hash: made.creation_hash,
                in_scheme,
                creation_ticket: made.creation_ticket,
            };
            stage.run(handles, &command);
        },
    },
    Case {
        code: Cc::QUOTE,
        play: |stage| {
            let (sign_handle, in_scheme) = stage.attester();
            let command = Quote { qualifying_data: stage.some(66), in_scheme, pcr_select: stage.selection() };
            stage.run(QuoteHandles { sign_handle }, &command);
        },
    },
    Case {
        code: Cc::GET_TIME,
        play: |stage| {
            let (sign_handle, in_scheme) = stage.attester();
            let handles = GetTimeHandles { privacy_admin_handle: TpmiRhEndorsement::Endorsement, sign_handle };
            let command = GetTime { qualifying_data: stage.some(66), in_scheme };
            stage.run(handles, &command);
        },
    },
    Case {
        code: Cc::GET_SESSION_AUDIT_DIGEST,
        play: |stage| {
            let mut audit = stage.tpm.start_session(SessionOptions::HMAC).unwrap();
            audit.attributes = audit.attributes | TpmaSession::AUDIT;
            let command = PcrRead { pcr_selection_in: stage.selection() };
            stage.tpm.run((), &command, &mut [Auth::session(&mut audit)]).unwrap();
            let (sign_handle, in_scheme) = stage.attester();
            let handles = GetSessionAuditDigestHandles {
                privacy_admin_handle: TpmiRhEndorsement::Endorsement,
                sign_handle,
                session_handle: TpmiShHmac::new(audit.handle(), &Supported::ALL).unwrap(),
            };
            let command = GetSessionAuditDigest { qualifying_data: stage.some(66), in_scheme };
            stage.run(handles, &command);
        },
    },
    Case {
        code: Cc::GET_COMMAND_AUDIT_DIGEST,
        play: |stage| {
            let (sign_handle, in_scheme) = stage.attester();
            let handles = GetCommandAuditDigestHandles { privacy_handle: TpmiRhEndorsement::Endorsement, sign_handle };
            let command = GetCommandAuditDigest { qualifying_data: stage.some(66), in_scheme };
            stage.run(handles, &command);
        },
    },
    Case { code: Cc::NV_CERTIFY, play: certify_index },
];

fn certify_index(stage: &mut Stage) {
    let nv_index = stage.index(NvType::Ordinary, TpmaNv::NONE, 64);
    let data = stage.dice.bytes(64);
    stage.fill(nv_index, &data);
    // "size = 0 and offset = 0" gives the digest of the whole.
    for (size, offset) in [(10, 3), (64, 0), (0, 0)] {
        let (sign_handle, in_scheme) = stage.attester();
        let handles = NvCertifyHandles { sign_handle, auth_handle: stage.nv_auth(nv_index), nv_index };
        let command = NvCertify { qualifying_data: stage.some(66), in_scheme, size, offset };
        stage.run(handles, &command);
    }
}
