// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Import` (Part 3, "TPM2_Import").

use crate::commands::Execute;
use crate::name;
use crate::object::attributes::{Parent, check_public};
use crate::object::load::Blame;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_protocol::ProtocolError;
use evtpm_protocol::duplication::InnerWrapper;
use evtpm_tpm_wire::commands::{Import, ImportHandles, ImportResponse};
use evtpm_tpm_wire::{
    Overflow, Rc, Reader, Subject, Supported, SymMode, Tpm2b, Tpm2bPrivate, TpmaObject, TpmtSensitive,
};

impl Execute for Import<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ImportHandles) -> Result<ImportResponse, Rc> {
        let Tpm2b(public) = &self.object_public;
        // "If fixedTPM or fixedParent is SET in objectPublic, the TPM shall return TPM_RC_ATTRIBUTES."
        if public.object_attributes.intersects(TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT) {
            return Err(Rc::ATTRIBUTES.at(Subject::Parameter(2)));
        }
        let parent = handles.parent_handle.handle();
        tpm.storage_parent(parent, 1)?;
        check_wrappers(&self)?;

        let supported = tpm.profile.supported;
        let name = name::of_object::<P::Crypto>(public);
        let mut duplicate = if self.in_sym_seed.is_empty() {
            Tpm2bPrivate::new(self.duplicate.as_bytes()).map_err(|Overflow| Rc::SIZE.at(Subject::Parameter(3)))?
        } else {
            // As the reference: only an asymmetric key can have been told a seed, so that the parent is at fault.
            tpm.asymmetric_parent(parent, 1)?;
            let (seed, duplicate) = ((self.in_sym_seed.as_bytes(), 4), (self.duplicate.as_bytes(), 3));
            tpm.unwrap_with(parent, seed, name.as_bytes(), duplicate)?
        };
        let sensitive = open_inner::<P::Crypto>(&self, name.as_bytes(), &mut duplicate, &supported);
        let sensitive = sensitive.map_err(|rc| rc.at(Subject::Parameter(3)))?;
        // "it is sufficient to validate the object's properties (attribute and public-private binding) on import"
        check_public(Parent::None, public).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        tpm.check_keys(public, Some(&sensitive), Blame::IMPORT)?;
        let out_private = tpm.wrap(parent, &name, &sensitive)?;

        Ok(ImportResponse { out_private })
    }
}

/// Checks that the wrappers are there which the object must have, and that the inner key fits its cipher.
fn check_wrappers(import: &Import<'_>) -> Result<(), Rc> {
    let fits = match import.symmetric_alg {
        None => import.encryption_key.is_empty(),
        Some(cipher) if cipher.mode != Some(SymMode::Cfb) => return Err(Rc::MODE.at(Subject::Parameter(5))),
        Some(cipher) => import.encryption_key.len() == cipher.key_size(),
    };
    if !fits {
        return Err(Rc::SIZE.at(Subject::Parameter(1)));
    }
    let Tpm2b(public) = &import.object_public;
    // "If encryptedDuplication is SET in objectPublic, then inSymSeed and encryptionKey shall not be Empty buffers"
    if public.object_attributes.contains(TpmaObject::ENCRYPTED_DUPLICATION) {
        if import.symmetric_alg.is_none() {
            return Err(Rc::ATTRIBUTES.at(Subject::Parameter(1)));
        }
        if import.in_sym_seed.is_empty() {
            return Err(Rc::ATTRIBUTES.at(Subject::Parameter(4)));
        }
    }
    Ok(())
}

/// Takes the inner wrapper off, if there is one, and reads the sensitive area.
fn open_inner<C: Crypto>(
    import: &Import<'_>,
    name: &[u8],
    duplicate: &mut Tpm2bPrivate,
    supported: &Supported,
) -> Result<TpmtSensitive, Rc> {
    let Tpm2b(public) = &import.object_public;
    let plain = match import.symmetric_alg {
        None => duplicate.as_bytes(),
        Some(cipher) => {
            let hash = public.name_alg.ok_or(Rc::HASH)?;
            let inner = InnerWrapper { hash, name, cipher, key: import.encryption_key.as_bytes() };
            inner.open::<C>(duplicate.as_mut_bytes()).map_err(ProtocolError::rc)?
        }
    };
    let mut reader = Reader::new(plain, supported);
    // What is behind the size or missing is looked at before the rest, as in the reference.
    if usize::from(reader.peek_u16()?) != plain.len().saturating_sub(2) {
        return Err(Rc::SIZE);
    }
    let Tpm2b(sensitive) = reader.read::<Tpm2b<TpmtSensitive>>()?;
    Ok(TpmtSensitive { auth_value: sensitive.auth_value.without_trailing_zeros(), ..sensitive })
}
