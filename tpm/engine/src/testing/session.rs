// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The caller's side of authorization sessions: HMACs, parameter encryption, and checks of what the TPM answers.

use super::{TestTpm, command_bytes, marshal};
use crate::Locality;
use crate::testing::TestCrypto;
use evtpm_crypto::Digest;
use evtpm_protocol::session::{self, Nonces, SessionKey, decrypt_parameter, encrypt_parameter, session_key};
use evtpm_protocol::{cp_hash, rp_hash};
use evtpm_tpm_wire::commands::{StartAuthSession, StartAuthSessionHandles};
use evtpm_tpm_wire::{
    Command, Handle, HandleArea, HashAlg, Rc, Reader, Response, Supported, Tpm2bEncryptedSecretIn, Tpm2bNonce, TpmSe,
    TpmaSession, TpmiDhEntity, TpmsAuthResponse, TpmtSymDef,
};
use std::vec::Vec;

/// A session as its caller knows it.
#[derive(Debug, Clone)]
pub(crate) struct TestSession {
    pub(crate) handle: Handle,
    pub(crate) hash: HashAlg,
    pub(crate) key: SessionKey,
    pub(crate) symmetric: Option<TpmtSymDef>,
    pub(crate) nonce_tpm: Tpm2bNonce,
    pub(crate) nonce_caller: Tpm2bNonce,
}

/// How a handle is authorized, or what another session is for.
pub(crate) enum Use<'a> {
    /// A password.
    Password(&'a [u8]),
    /// A session, with the authValue that its HMAC key includes and the one that its encryption includes.
    Session(&'a mut TestSession, SessionUse<'a>),
}

/// The secrets and attributes of one use of a session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SessionUse<'a> {
    pub(crate) attributes: TpmaSession,
    /// Included in the HMAC key.
    pub(crate) auth: &'a [u8],
    /// Included in the encryption key: the authValue of the authorized entity.
    pub(crate) entity_auth: &'a [u8],
    /// Sent in plain in place of the HMAC, as PolicyPassword wants it.
    pub(crate) plain: Option<&'a [u8]>,
}

/// What a session is started with.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) kind: TpmSe,
    pub(crate) hash: HashAlg,
    pub(crate) bind: Option<(Handle, &'static [u8])>,
    pub(crate) symmetric: Option<TpmtSymDef>,
}

impl Start {
    pub(crate) const HMAC: Self = Self { kind: TpmSe::Hmac, hash: HashAlg::Sha256, bind: None, symmetric: None };
    pub(crate) const POLICY: Self = Self { kind: TpmSe::Policy, ..Self::HMAC };
}

impl TestTpm {
    /// Starts a session without salt.
    pub(crate) fn start_session(&mut self, start: Start) -> TestSession {
        let nonce_caller = Tpm2bNonce::new(&[0xC0; 16]).unwrap();
        let command = StartAuthSession {
            nonce_caller,
            encrypted_salt: Tpm2bEncryptedSecretIn::default(),
            session_type: start.kind,
            symmetric: start.symmetric,
            auth_hash: start.hash,
        };
        let bind = start.bind.map(|(handle, _)| TpmiDhEntity::new(handle, &Supported::ALL).unwrap());
        let response = self.send(&command, StartAuthSessionHandles { tpm_key: None, bind }).unwrap();
        let (caller, own) = (nonce_caller.as_bytes(), response.nonce_tpm.as_bytes());
        let key = match start.bind {
            Some((_, auth)) => session_key::<TestCrypto>(start.hash, auth, &[], own, caller).unwrap(),
            None => SessionKey::EMPTY,
        };
        let (hash, symmetric) = (start.hash, start.symmetric);
        TestSession {
            handle: response.session_handle,
            hash,
            key,
            symmetric,
            nonce_tpm: response.nonce_tpm,
            nonce_caller,
        }
    }

    /// Sends a command with any sessions, and checks every HMAC of the response.
    pub(crate) fn send_with<C: Command>(
        &mut self,
        command: &C,
        handles: C::Handles,
        uses: &mut [Use<'_>],
    ) -> Result<C::Response, Rc> {
        let bytes = self.authorized(command, handles, uses);
        let response = self.raw_at(Locality::ZERO, bytes);
        let rc = Rc::from_raw(u32::from_be_bytes(response[6..10].try_into().unwrap()));
        if !rc.is_success() {
            return Err(rc);
        }
        let handle_end = if C::SPEC.returns_handle { 14 } else { 10 };
        let size = u32::from_be_bytes(response[handle_end..handle_end + 4].try_into().unwrap()) as usize;
        let (mut parameters, area) = {
            let (parameters, area) = response[handle_end + 4..].split_at(size);
            (parameters.to_vec(), area)
        };
        check_response::<C>(&parameters.clone(), area, &mut parameters, uses);
        let mut handle_reader = Reader::permissive(&response[10..handle_end]);
        let mut reader = Reader::permissive(&parameters);
        let value = C::Response::unmarshal(&mut handle_reader, &mut reader).unwrap();
        assert!(reader.is_empty());
        Ok(value)
    }

    /// Builds the command, rolling the caller's nonces.
    pub(crate) fn authorized<C: Command>(&mut self, command: &C, handles: C::Handles, uses: &mut [Use<'_>]) -> Vec<u8> {
        let names: Vec<_> = handles.list().iter().map(|handle| self.entity_name(*handle)).collect();
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let mut parameters = marshal(command);
        for used in uses.iter_mut() {
            if let Use::Session(session, _) = used {
                session.nonce_caller.as_mut_bytes().iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
            }
        }
        for used in uses.iter() {
            if let Use::Session(session, with) = used
                && with.attributes.contains(TpmaSession::DECRYPT)
            {
                session.crypt(true, with.entity_auth, &mut parameters);
            }
        }
        let extra = extra_nonces(uses);
        let mut area = Vec::new();
        for (number, used) in uses.iter().enumerate() {
            area.extend(match used {
                Use::Password(password) => {
                    let mut bytes = marshal(&Handle::PASSWORD);
                    bytes.extend([0, 0, 0]);
                    bytes.extend((password.len() as u16).to_be_bytes());
                    bytes.extend(*password);
                    bytes
                }
                Use::Session(session, with) => {
                    let hash = cp_hash::<TestCrypto>(session.hash, C::SPEC.code, &names, &parameters).unwrap();
                    let extra = if number == 0 { extra.clone() } else { Default::default() };
                    session.command_area(with, &hash, [&extra.0, &extra.1])
                }
            });
        }
        command_bytes(C::SPEC.code, &marshal(&handles), &area, &parameters)
    }
}

fn extra_nonces(uses: &[Use<'_>]) -> (Vec<u8>, Vec<u8>) {
    let with = |attribute| {
        uses.iter().enumerate().skip(1).find_map(|(number, used)| match used {
            Use::Session(session, with) if with.attributes.contains(attribute) => {
                Some((number, session.nonce_tpm.as_bytes().to_vec()))
            }
            _ => None,
        })
    };
    let (decrypt, encrypt) = (with(TpmaSession::DECRYPT), with(TpmaSession::ENCRYPT));
    let encrypt = encrypt.filter(|(number, _)| decrypt.as_ref().is_none_or(|(other, _)| other != number));
    (decrypt.unwrap_or_default().1, encrypt.unwrap_or_default().1)
}

fn check_response<C: Command>(received: &[u8], area: &[u8], parameters: &mut [u8], uses: &mut [Use<'_>]) {
    let mut reader = Reader::permissive(area);
    for used in uses.iter_mut() {
        let answer: TpmsAuthResponse = reader.read().unwrap();
        let Use::Session(session, with) = used else {
            assert!(answer.nonce.is_empty() && answer.hmac.is_empty());
            continue;
        };
        session.nonce_tpm = answer.nonce;
        let value = session::value(session.key.as_bytes(), with.auth).unwrap();
        if with.plain.is_some() || value.as_bytes().is_empty() {
            assert!(answer.hmac.is_empty());
        } else {
            let nonces = Nonces { newer: session.nonce_tpm.as_bytes(), older: session.nonce_caller.as_bytes() };
            let hash = rp_hash::<TestCrypto>(session.hash, Rc::SUCCESS, C::SPEC.code, received).unwrap();
            let attributes = answer.session_attributes;
            let hmac =
                session::hmac::<TestCrypto>(session.hash, value.as_bytes(), &hash, nonces, [&[], &[]], attributes);
            assert_eq!(answer.hmac.as_bytes(), hmac.unwrap().as_bytes(), "the response's HMAC");
        }
        if with.attributes.contains(TpmaSession::ENCRYPT) {
            session.crypt(false, with.entity_auth, parameters);
        }
    }
    assert!(reader.is_empty());
}

impl TestSession {
    fn crypt(&self, command: bool, auth: &[u8], parameters: &mut [u8]) {
        let size = usize::from(u16::from_be_bytes(parameters[..2].try_into().unwrap()));
        let value = session::value(self.key.as_bytes(), auth).unwrap();
        let (caller, own) = (self.nonce_caller.as_bytes(), self.nonce_tpm.as_bytes());
        let content = &mut parameters[2..2 + size];
        if command {
            let nonces = Nonces { newer: caller, older: own };
            encrypt_parameter::<TestCrypto>(self.hash, self.symmetric.unwrap(), &value, nonces, content).unwrap();
        } else {
            let nonces = Nonces { newer: own, older: caller };
            decrypt_parameter::<TestCrypto>(self.hash, self.symmetric.unwrap(), &value, nonces, content).unwrap();
        }
    }

    fn command_area(&self, with: &SessionUse<'_>, hash: &Digest, extra: [&[u8]; 2]) -> Vec<u8> {
        let value = session::value(self.key.as_bytes(), with.auth).unwrap();
        let nonces = Nonces { newer: self.nonce_caller.as_bytes(), older: self.nonce_tpm.as_bytes() };
        let hmac =
            session::hmac::<TestCrypto>(self.hash, value.as_bytes(), hash, nonces, extra, with.attributes).unwrap();
        let proof = match with.plain {
            Some(plain) => plain,
            None if value.as_bytes().is_empty() => &[],
            None => hmac.as_bytes(),
        };
        let mut bytes = marshal(&self.handle);
        bytes.extend(marshal(&self.nonce_caller));
        bytes.extend(marshal(&with.attributes));
        bytes.extend((proof.len() as u16).to_be_bytes());
        bytes.extend(proof);
        bytes
    }
}
