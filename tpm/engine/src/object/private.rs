// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sensitive areas outside the TPM, protected by their parent (Part 1, "Protected Storage").

use crate::name::Name;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::{BLOCK_SIZE, Crypto};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::wrap::Wrapper;
use evtpm_tpm_wire::{
    Bytes, Handle, Overflow, Rc, Reader, Secret, Subject, Supported, Tpm2b, Tpm2bAuth, Tpm2bDigest, Tpm2bIv,
    Tpm2bPrivate, TpmtSensitive, Writer,
};

/// The size of an IV behind its size.
const SIZED_IV: usize = BLOCK_SIZE + 2;

/// The size of the greatest sensitive area behind its size.
pub(crate) const MAX_SENSITIVE: usize = 448;

/// Finds what a parent protects a child of this Name with; `TPM_RC_TYPE` if it is no storage key.
pub(crate) fn wrapper<'a>(parent: &'a Object, name: &'a Name) -> Result<Wrapper<'a>, Rc> {
    Ok(Wrapper {
        hash: parent.public.name_alg.ok_or(Rc::TYPE)?,
        cipher: parent.public.body.symmetric().ok_or(Rc::TYPE)?,
        seed: parent.sensitive.as_ref().ok_or(Rc::TYPE)?.seed_value.as_bytes(),
        name: name.as_bytes(),
    })
}

impl<P: Platform> Tpm<P> {
    /// Protects a sensitive area for storage under its parent, with a fresh IV.
    pub(crate) fn wrap(&mut self, parent: Handle, name: &Name, sensitive: &TpmtSensitive) -> Result<Tpm2bPrivate, Rc> {
        let mut iv = [0; BLOCK_SIZE];
        self.random(&mut iv)?;
        let parent = self.object(parent).ok_or(Rc::TYPE)?;
        wrap::<P::Crypto>(&wrapper(parent, name)?, name, &iv, sensitive)
    }
}

/// Writes digest, IV and sensitive area, each behind its size, in the place where they stay.
fn wrap<C: Crypto>(
    wrapper: &Wrapper<'_>,
    name: &Name,
    iv: &[u8; BLOCK_SIZE],
    sensitive: &TpmtSensitive,
) -> Result<Tpm2bPrivate, Rc> {
    let too_long = |Overflow| Rc::SIZE.at(Subject::Parameter(1));
    let mut private = Tpm2bPrivate::zeros(Tpm2bPrivate::CAPACITY).map_err(|Overflow| Rc::MEMORY)?;
    let digest_size = wrapper.hash.digest_size().saturating_add(2);
    let (digest, rest) = private.as_mut_bytes().split_at_mut_checked(digest_size).ok_or(Rc::FAILURE)?;
    let (sized_iv, rest) = rest.split_at_mut_checked(SIZED_IV).ok_or(Rc::FAILURE)?;
    Writer::new(sized_iv).write(&Tpm2bIv::new(iv).map_err(too_long)?).map_err(too_long)?;
    let mut writer = Writer::new(rest);
    write_padded(sensitive, name, &mut writer).map_err(too_long)?;
    let written = writer.written();
    let content = rest.get_mut(..written).ok_or(Rc::FAILURE)?;
    let size = digest_size.saturating_add(SIZED_IV).saturating_add(written);
    let integrity = wrapper.seal::<C>(sized_iv, content).map_err(ProtocolError::rc)?;
    let integrity = Tpm2bDigest::new(integrity.as_bytes()).map_err(too_long)?;
    Writer::new(digest).write(&integrity).map_err(too_long)?;
    private.truncate(size);
    Ok(private)
}

/// Opens what [`wrap`] made; everything that is not exactly that is refused before anything is decrypted.
pub(crate) fn unwrap<C: Crypto>(
    parent: &Object,
    name: &Name,
    private: &[u8],
    supported: &Supported,
) -> Result<TpmtSensitive, Rc> {
    let mut reader = Reader::new(private, supported);
    let integrity: Bytes<'_, 64> = reader.read()?;
    let after = reader.remaining();
    // What has no IV of this size is none of ours, whatever its integrity value says.
    let iv: Tpm2bIv = reader.read().map_err(|_| Rc::INTEGRITY)?;
    if iv.len() != BLOCK_SIZE {
        return Err(Rc::INTEGRITY);
    }
    let sized_iv = after.get(..SIZED_IV).ok_or(Rc::INTEGRITY)?;
    let mut content = Secret::<MAX_SENSITIVE>::new(reader.remaining()).map_err(|Overflow| Rc::SIZE)?;
    wrapper(parent, name)?
        .open::<C>(integrity.as_bytes(), sized_iv, content.as_mut_bytes())
        .map_err(ProtocolError::rc)?;
    let mut reader = Reader::new(content.as_bytes(), supported);
    let Tpm2b(sensitive) = reader.read::<Tpm2b<TpmtSensitive>>()?;
    reader.finish()?;
    Ok(TpmtSensitive { auth_value: sensitive.auth_value.without_trailing_zeros(), ..sensitive })
}

/// Writes a sensitive area behind its size.
///
/// Part 2, TPM2B_PRIVATE: "the TPM pads the TPM2B_AUTH to its maximum size", which is that of the digest in the Name, so that
/// nobody reads the size of an authValue from it.
pub(crate) fn write_padded(sensitive: &TpmtSensitive, name: &Name, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    let mut auth_value = Tpm2bAuth::zeros(name.as_bytes().len().saturating_sub(2))?;
    auth_value.as_mut_bytes().iter_mut().zip(sensitive.auth_value.as_bytes()).for_each(|(to, from)| *to = *from);
    writer.sized(&TpmtSensitive { auth_value, ..sensitive.clone() })
}
