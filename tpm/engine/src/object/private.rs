// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sensitive areas outside the TPM, protected by their parent (Part 1, "Protected Storage").

use super::create::CreateError;
use crate::name::Name;
use crate::state::Object;
use evtpm_crypto::{BLOCK_SIZE, Crypto, CryptoError, Rng};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::wrap::Wrapper;
use evtpm_tpm_wire::{
    Bytes, Marshal, Overflow, Rc, Reader, Secret, Supported, Tpm2b, Tpm2bAuth, Tpm2bDigest, Tpm2bIv, Tpm2bPrivate,
    TpmtSensitive, Writer,
};

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

/// Protects a sensitive area for storage under its parent, with a fresh IV.
pub(crate) fn wrap<C: Crypto>(
    parent: &Object,
    name: &Name,
    sensitive: &TpmtSensitive,
    rng: &mut dyn Rng,
) -> Result<Tpm2bPrivate, CreateError> {
    let mut iv = [0; BLOCK_SIZE];
    rng.fill(&mut iv).map_err(CryptoError::Entropy)?;
    let mut sized_iv = [0; BLOCK_SIZE + 2];
    let sized_iv = Tpm2bIv::new(&iv)?.to_bytes(&mut sized_iv)?;
    let mut content = Secret::<MAX_SENSITIVE>::zeros(MAX_SENSITIVE)?;
    let mut writer = Writer::new(content.as_mut_bytes());
    writer.sized(&padded(sensitive, name)?)?;
    let size = writer.written();
    content.truncate(size);
    let integrity = wrapper(parent, name)?.seal::<C>(sized_iv, content.as_mut_bytes());
    let integrity = integrity.map_err(|error| CreateError::Refused(error.rc()))?;

    let mut private = [0; Tpm2bPrivate::CAPACITY];
    let mut writer = Writer::new(&mut private);
    writer.write(&Tpm2bDigest::new(integrity.as_bytes())?)?;
    writer.bytes(sized_iv)?;
    writer.bytes(content.as_bytes())?;
    Ok(Tpm2bPrivate::new(writer.into_written())?)
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
    let iv: Tpm2bIv = reader.read()?;
    if iv.len() != BLOCK_SIZE {
        return Err(Rc::SIZE);
    }
    let sized_iv = after.get(..BLOCK_SIZE.saturating_add(2)).ok_or(Rc::SIZE)?;
    let mut content = Secret::<MAX_SENSITIVE>::new(reader.remaining()).map_err(|Overflow| Rc::SIZE)?;
    wrapper(parent, name)?
        .open::<C>(integrity.as_bytes(), sized_iv, content.as_mut_bytes())
        .map_err(ProtocolError::rc)?;
    let mut reader = Reader::new(content.as_bytes(), supported);
    let Tpm2b(sensitive) = reader.read::<Tpm2b<TpmtSensitive>>()?;
    reader.finish()?;
    Ok(TpmtSensitive { auth_value: sensitive.auth_value.without_trailing_zeros(), ..sensitive })
}

/// "When the TPM returns a TPM2B_PRIVATE structure, the TPM pads the TPM2B_AUTH to its maximum size. This prevents the TPM
/// from leaking the size of the authorization value" (Part 1, "authValue"): to that of the digest in the Name.
pub(crate) fn padded(sensitive: &TpmtSensitive, name: &Name) -> Result<TpmtSensitive, Overflow> {
    let mut auth_value = Tpm2bAuth::zeros(name.as_bytes().len().saturating_sub(2))?;
    auth_value.as_mut_bytes().iter_mut().zip(sensitive.auth_value.as_bytes()).for_each(|(to, from)| *to = *from);
    Ok(TpmtSensitive { auth_value, ..sensitive.clone() })
}
