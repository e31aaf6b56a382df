// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policy commands on a session (Part 3, "Enhanced Authorization (EA) Commands").
use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{
    PolicyAuthValue, PolicyAuthValueHandles, PolicyCommandCode, PolicyCommandCodeHandles, PolicyGetDigest,
    PolicyGetDigestHandles, PolicyOr, PolicyOrHandles, PolicyPassword, PolicyPasswordHandles, PolicyPcr,
    PolicyPcrHandles, PolicySecret, PolicySecretHandles,
};
use evtpm_tpm_wire::{Cc, Handle, Supported, Tpm2bDigest, Tpm2bNonce, TpmiDhEntity, TpmlDigest, TpmlPcrSelection};

use crate::auth::Auth;
use crate::session::{PolicyAuth, Session};
use crate::{Client, ClientError, Transport};

impl<T: Transport, R: Rng> Client<T, R> {
    /// Proves the secret of an entity by password, for this session alone (`TPM2_PolicySecret`).
    pub fn policy_secret(&mut self, session: &Session, entity: Handle, auth: &[u8]) -> Result<(), ClientError> {
        let auth_handle = TpmiDhEntity::new(entity, &Supported::ALL).ok_or(ClientError::TooLong)?;
        let handles = PolicySecretHandles { auth_handle, policy_session: session.policy()? };
        let command = PolicySecret {
            nonce_tpm: session.nonce_tpm,
            cp_hash_a: Tpm2bDigest::EMPTY,
            policy_ref: Tpm2bNonce::EMPTY,
            expiration: 0,
        };
        self.run(handles, &command, &mut [Auth::Password(auth)]).map(|_| ())
    }

    /// Ties the policy to PCRs; an empty digest stands for their present values (`TPM2_PolicyPCR`).
    pub fn policy_pcr(&mut self, session: &Session, pcrs: &TpmlPcrSelection, digest: &[u8]) -> Result<(), ClientError> {
        let command = PolicyPcr { pcr_digest: Tpm2bDigest::new(digest)?, pcrs: *pcrs };
        self.run(PolicyPcrHandles { policy_session: session.policy()? }, &command, &mut [])
    }

    /// Makes the policy one of several alternatives (`TPM2_PolicyOR`).
    pub fn policy_or(&mut self, session: &Session, alternatives: &[&[u8]]) -> Result<(), ClientError> {
        let mut p_hash_list = TpmlDigest::new();
        for alternative in alternatives {
            p_hash_list.push(Tpm2bDigest::new(alternative)?)?;
        }
        self.run(PolicyOrHandles { policy_session: session.policy()? }, &PolicyOr { p_hash_list }, &mut [])
    }

    /// Ties the policy to one command (`TPM2_PolicyCommandCode`).
    pub fn policy_command_code(&mut self, session: &Session, code: Cc) -> Result<(), ClientError> {
        let handles = PolicyCommandCodeHandles { policy_session: session.policy()? };
        self.run(handles, &PolicyCommandCode { code }, &mut [])
    }

    /// Ties the policy to the authValue of the authorized entity, proved by HMAC (`TPM2_PolicyAuthValue`).
    pub fn policy_auth_value(&mut self, session: &mut Session) -> Result<(), ClientError> {
        let handles = PolicyAuthValueHandles { policy_session: session.policy()? };
        self.run(handles, &PolicyAuthValue {}, &mut [])?;
        session.policy_auth = PolicyAuth::Value;
        Ok(())
    }

    /// Ties the policy to the authValue of the authorized entity, sent as a password (`TPM2_PolicyPassword`).
    pub fn policy_password(&mut self, session: &mut Session) -> Result<(), ClientError> {
        let handles = PolicyPasswordHandles { policy_session: session.policy()? };
        self.run(handles, &PolicyPassword {}, &mut [])?;
        session.policy_auth = PolicyAuth::Password;
        Ok(())
    }

    /// Returns the digest of the policy so far (`TPM2_PolicyGetDigest`).
    pub fn policy_digest(&mut self, session: &Session) -> Result<Tpm2bDigest, ClientError> {
        let handles = PolicyGetDigestHandles { policy_session: session.policy()? };
        Ok(self.run(handles, &PolicyGetDigest {}, &mut [])?.policy_digest)
    }
}
