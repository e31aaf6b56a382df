// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The outer wrapper and what the duplication commands check of their parents (Part 1, "Outer Duplication Wrapper").

use crate::{Platform, Tpm};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::duplication::{open_outer, seal_outer};
use evtpm_protocol::secret::{Label, Seed, share};
use evtpm_protocol::wrap::Wrapper;
use evtpm_tpm_wire::{Handle, Rc, Subject, Tpm2bEncryptedSecret, Tpm2bPrivate, TpmtPublic};

impl<P: Platform> Tpm<P> {
    /// Puts the outer wrapper around a duplicate, with a seed for the new parent alone.
    pub(super) fn wrap_for(
        &mut self,
        new_parent: Handle,
        name: &[u8],
        content: &[u8],
    ) -> Result<(Tpm2bPrivate, Tpm2bEncryptedSecret), Rc> {
        let (state, mut rng, _) = self.split();
        let public = &state.objects.object(new_parent).ok_or(Rc::TYPE)?.public;
        let shared = share::<P::Crypto>(public, Label::Duplicate, &mut rng);
        let (seed, secret) = shared.map_err(|error| self.refuse_protocol(error, error.rc()))?;
        let public = &self.object(new_parent).ok_or(Rc::TYPE)?.public;
        let sealed = seal_outer::<P::Crypto>(&wrapper(public, &seed, name)?, content);
        Ok((sealed.map_err(ProtocolError::rc)?, secret))
    }

    /// Takes the outer wrapper off with the private part of the parent that it was put on for.
    pub(super) fn unwrap_with(
        &mut self,
        parent: Handle,
        (secret, secret_number): (&[u8], u8),
        name: &[u8],
        (wrapped, wrapped_number): (&[u8], u8),
    ) -> Result<Tpm2bPrivate, Rc> {
        let seed = self.recover_secret(parent, Label::Duplicate, secret);
        let seed = seed.map_err(|rc| rc.at(Subject::Parameter(secret_number)))?;
        let parent = self.object(parent).ok_or(Rc::TYPE)?;
        let opened = open_outer::<P::Crypto>(&wrapper(&parent.public, &seed, name)?, wrapped);
        opened.map_err(|error| error.rc().at(Subject::Parameter(wrapped_number)))
    }
}

fn wrapper<'a>(parent: &TpmtPublic, seed: &'a Seed, name: &'a [u8]) -> Result<Wrapper<'a>, Rc> {
    let (hash, cipher) = (parent.name_alg.ok_or(Rc::TYPE)?, parent.body.symmetric().ok_or(Rc::TYPE)?);
    Ok(Wrapper { hash, cipher, seed: seed.as_bytes(), name })
}
