// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_GetSessionAuditDigest` (Part 3, "TPM2_GetSessionAuditDigest").

use super::attest::Signer;
use crate::commands::Execute;
use crate::state::SessionKind;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{GetSessionAuditDigest, GetSessionAuditDigestHandles, GetSessionAuditDigestResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest, TpmsSessionAuditInfo, TpmuAttest, YesNo};

impl Execute for GetSessionAuditDigest {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: GetSessionAuditDigestHandles,
    ) -> Result<GetSessionAuditDigestResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 2), (self.in_scheme, 2))?;
        let session_handle = handles.session_handle.handle().0;
        // "If sessionHandle is not an audit session, the TPM shall return TPM_RC_TYPE."
        let digest = match tpm.state.sessions.loaded(session_handle).map(|session| &session.kind) {
            Some(SessionKind::Hmac(hmac)) => hmac.audit,
            _ => None,
        };
        let digest = digest.ok_or(Rc::TYPE.at(Subject::Handle(3)))?;

        let info = TpmsSessionAuditInfo {
            exclusive_session: YesNo::from(tpm.state.sessions.exclusive() == Some(session_handle)),
            session_digest: Tpm2bDigest::new(digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?,
        };
        let (audit_info, signature) = tpm.attest(&signer, &self.qualifying_data, TpmuAttest::SessionAudit(info))?;

        Ok(GetSessionAuditDigestResponse { audit_info, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestCrypto;
    use crate::testing::objects::object;
    use crate::testing::{SessionUse, Start, TestSession, TestTpm, Use, marshal, started};
    use evtpm_crypto::{Crypto, HashAlg};
    use evtpm_protocol::templates::attestation_key;
    use evtpm_protocol::{cp_hash, rp_hash};
    use evtpm_tpm_wire::commands::{GetRandom, GetRandomResponse};
    use evtpm_tpm_wire::{
        Cc, Handle, Supported, Tpm2bData, TpmaSession, TpmiRhEndorsement, TpmiShHmac, TpmsAttest, from_bytes,
    };

    fn audited(tpm: &mut TestTpm, session: &mut TestSession) -> GetRandomResponse {
        let attributes = TpmaSession::AUDIT | TpmaSession::CONTINUE_SESSION;
        let uses = &mut [Use::Session(session, SessionUse { attributes, ..SessionUse::default() })];
        tpm.send_with(&GetRandom { bytes_requested: 8 }, (), uses).unwrap()
    }

    fn attested(tpm: &mut TestTpm, session: Handle, key: Option<Handle>) -> Result<TpmsSessionAuditInfo, Rc> {
        let command = GetSessionAuditDigest { qualifying_data: Tpm2bData::EMPTY, in_scheme: None };
        let handles = GetSessionAuditDigestHandles {
            privacy_admin_handle: TpmiRhEndorsement::Endorsement,
            sign_handle: key.map(object),
            session_handle: TpmiShHmac::new(session, &Supported::ALL).unwrap(),
        };
        let answer = tpm.send(&command, handles)?;
        assert_eq!(answer.signature.is_some(), key.is_some());
        let attest: TpmsAttest<'_> = from_bytes(answer.audit_info.as_bytes(), &Supported::ALL).unwrap();
        let TpmuAttest::SessionAudit(info) = attest.attested else { panic!("a session audit") };
        Ok(info)
    }

    #[test]
    fn the_audit_digest_is_over_command_and_response() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let key = tpm.child(parent, attestation_key(), &[]);
        let mut session = tpm.start_session(Start::HMAC);
        let response = audited(&mut tpm, &mut session);
        let command = marshal(&GetRandom { bytes_requested: 8 });
        let hash = evtpm_tpm_wire::HashAlg::Sha256;
        let cp_hash = cp_hash::<TestCrypto>(hash, Cc::GET_RANDOM, &[], &command).unwrap();
        let answer = marshal(&response.random_bytes);
        let rp_hash = rp_hash::<TestCrypto>(hash, Rc::SUCCESS, Cc::GET_RANDOM, &answer).unwrap();
        let expected = TestCrypto::hash(HashAlg::Sha256, &[&[0; 32], cp_hash.as_bytes(), rp_hash.as_bytes()]);
        let info = attested(&mut tpm, session.handle, Some(key)).unwrap();
        assert_eq!(info.session_digest.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn a_command_without_audit_ends_exclusiveness() {
        let mut tpm = started();
        let mut session = tpm.start_session(Start::HMAC);
        audited(&mut tpm, &mut session);
        assert_eq!(attested(&mut tpm, session.handle, None).unwrap().exclusive_session, YesNo::Yes);
        assert_eq!(attested(&mut tpm, session.handle, None).unwrap().exclusive_session, YesNo::No);
    }

    #[test]
    fn a_session_that_never_audited_is_a_type_error() {
        let mut tpm = started();
        let session = tpm.start_session(Start::HMAC);
        let refused = attested(&mut tpm, session.handle, None);
        assert_eq!(refused, Err(Rc::TYPE.at(Subject::Handle(3))));
    }
}
