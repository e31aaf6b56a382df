// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the machine that hosts a TPM may do to it besides commands: endorsement keys and their certificates.
//!
//! None of it depends on what the guest did to hierarchies, authorizations or slots, nor on `TPM2_Startup`.

mod ek;

use crate::failure::Phase;
use crate::object::create::{CreateError, create, primary_generator};
use crate::state::{Auth, Certificate, CertificateProgress, Hierarchy, NvIndex};
use crate::{Platform, Tpm};
use core::fmt;
use evtpm_crypto::{Crypto, HashAlg};
use evtpm_tpm_wire::{
    Cc, Handle, Reader, Tpm2bDigest, Tpm2bPublic, Tpm2bSensitiveData, TpmaNv, TpmiRhNvLegacyIndex, TpmsNvPublic,
    TpmtPublic,
};

pub use ek::Ek;

/// What a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// The certificate of an EK, through [`Host::set_ek_certificate`] or [`Host::decline_ek_certificate`].
    EkCertificate {
        /// The NV index that will hold it.
        index: u32,
    },
}

/// Why the host's wish was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostError {
    /// The TPM is in failure mode: it has no endorsement keys.
    Failed,
    /// The number is no NV index.
    NotAnIndex(u32),
    /// The index exists already.
    Defined(u32),
    /// There is no EK certificate at the index.
    NoCertificate(u32),
    /// There is no place for the index, or its data.
    NoSpace,
    /// The certificate is longer than the index.
    TooLong {
        /// Octets that the index has.
        room: usize,
        /// Octets given.
        actual: usize,
    },
    /// The key could not be made.
    NoKey,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("the TPM is in failure mode"),
            Self::NotAnIndex(index) => write!(f, "{index:#010x} is no NV index"),
            Self::Defined(index) => write!(f, "NV index {index:#010x} exists already"),
            Self::NoCertificate(index) => write!(f, "NV index {index:#010x} holds no EK certificate"),
            Self::NoSpace => f.write_str("no space for another NV index"),
            Self::TooLong { room, actual } => write!(f, "{actual} bytes for an NV index of {room}"),
            Self::NoKey => f.write_str("the endorsement key could not be made"),
        }
    }
}

impl core::error::Error for HostError {}

/// The host's side of a TPM.
#[derive(Debug)]
pub struct Host<'a, P: Platform> {
    tpm: &'a mut Tpm<P>,
}

/// "PLATFORMCREATE, AUTHREAD, OWNERREAD, PPREAD, NO_DA" as EK certificates have, and locked for good: the policy that could
/// delete the index is one that nobody satisfies.
const CERTIFICATE_ATTRIBUTES: TpmaNv = TpmaNv::PLATFORMCREATE
    .with(TpmaNv::AUTHREAD)
    .with(TpmaNv::OWNERREAD)
    .with(TpmaNv::PPREAD)
    .with(TpmaNv::NO_DA)
    .with(TpmaNv::WRITEDEFINE)
    .with(TpmaNv::POLICY_DELETE)
    .with(TpmaNv::WRITELOCKED)
    .with(TpmaNv::WRITTEN);

/// Hashed to give a policy that is no policy: finding assertions with this digest would break the hash.
const NOBODY: &[u8] = b"evtpm: no sequence of policy assertions has this digest";

impl<P: Platform> Tpm<P> {
    /// Gives the host its side.
    pub fn host(&mut self) -> Host<'_, P> {
        self.may_differ = true;
        Host { tpm: self }
    }

    /// Tells whether a command must wait for the host: it touches an EK certificate that is not there yet, or makes the EK.
    pub(crate) fn pending(&mut self, code: Cc, handles: &[Handle], parameters: &[u8]) -> Option<Pending> {
        let touched = handles.iter().find_map(|handle| self.wanted(*handle));
        let made = || match (code, handles) {
            (Cc::CREATE_PRIMARY, [Handle::ENDORSEMENT]) => {
                let ek = Ek::of_template(&template_of(parameters, &self.profile.supported)?)?;
                let certified = |index: &&NvIndex| index.certificate.is_some_and(|certificate| certificate.ek == ek);
                self.state.nv.iter().find(certified).and_then(|index| self.wanted(index.handle()))
            }
            _ => None,
        };
        let (handle, progress) = touched.or_else(made)?;
        match progress {
            CertificateProgress::Wanted => Some(Pending::EkCertificate { index: handle.0 }),
            CertificateProgress::Declined | CertificateProgress::Present => None,
        }
    }

    fn wanted(&self, handle: Handle) -> Option<(Handle, CertificateProgress)> {
        let progress = self.state.nv.index(handle)?.certificate?.progress;
        (progress != CertificateProgress::Present).then_some((handle, progress))
    }

    /// Ends the effect of a refusal after the one command that it was for; tells whether that command touched the index.
    pub(crate) fn take_declined(&mut self, handles: &[Handle]) -> bool {
        let mut touched = false;
        for index in self.state.nv.iter_mut() {
            let handle = index.handle();
            if let Some(certificate) = &mut index.certificate
                && certificate.progress == CertificateProgress::Declined
            {
                certificate.progress = CertificateProgress::Wanted;
                touched |= handles.contains(&handle);
            }
        }
        touched
    }
}

impl<P: Platform> Host<'_, P> {
    /// Computes the public area of an EK from the endorsement primary seed.
    pub fn ek_public(&mut self, ek: Ek) -> Result<TpmtPublic, HostError> {
        self.check_alive()?;
        let mut public = ek.template();
        let seed = self.tpm.state.hierarchies.of(Hierarchy::Endorsement).seed.as_bytes();
        let made = primary_generator::<P::Crypto>(seed, &public, &[]).and_then(|mut rng| {
            let work = &mut self.tpm.work;
            create::<P::Crypto>(&mut public, Auth::EMPTY, &Tpm2bSensitiveData::EMPTY, &mut rng, &[], work)
        });
        match made {
            Ok(_) => Ok(public),
            Err(CreateError::Crypto(error)) => {
                let _ = self.tpm.refuse(error, evtpm_tpm_wire::Rc::VALUE);
                Err(HostError::NoKey)
            }
            Err(CreateError::Refused(_)) => Err(HostError::NoKey),
        }
    }

    /// Defines a locked NV index for the certificate of an EK; the guest sees it from now on, and waits when it reads it.
    pub fn define_ek_certificate(&mut self, index: u32, ek: Ek, data_size: usize) -> Result<(), HostError> {
        self.check_alive()?;
        let supported = self.tpm.profile.supported;
        let nv_index = TpmiRhNvLegacyIndex::new(Handle(index), &supported).ok_or(HostError::NotAnIndex(index))?;
        if self.tpm.state.nv.index(Handle(index)).is_some() {
            return Err(HostError::Defined(index));
        }
        let data_size = u16::try_from(data_size).map_err(|_| HostError::NoSpace)?;
        let public = TpmsNvPublic {
            nv_index,
            name_alg: evtpm_tpm_wire::HashAlg::Sha256,
            attributes: CERTIFICATE_ATTRIBUTES,
            auth_policy: Tpm2bDigest::new(P::Crypto::hash(HashAlg::Sha256, &[NOBODY]).as_bytes())
                .map_err(|_| HostError::NoSpace)?,
            data_size,
        };
        let mut index = NvIndex::new(public.into(), Auth::EMPTY).map_err(|_| HostError::NoSpace)?;
        index.certificate = Some(Certificate { ek, progress: CertificateProgress::Wanted });
        self.tpm.state.nv.define(index).map_err(|_| HostError::NoSpace)
    }

    /// Puts a certificate into its index; what is left of the index keeps the value of erased memory.
    pub fn set_ek_certificate(&mut self, index: u32, certificate: &[u8]) -> Result<(), HostError> {
        self.check_alive()?;
        let held = self.tpm.state.nv.index_mut(Handle(index)).ok_or(HostError::NoCertificate(index))?;
        let state = held.certificate.as_mut().ok_or(HostError::NoCertificate(index))?;
        let too_long = HostError::TooLong { room: held.data.len(), actual: certificate.len() };
        held.data.write(0, certificate).map_err(|_| too_long)?;
        state.progress = CertificateProgress::Present;
        Ok(())
    }

    /// Says that there is no certificate now: a read of the index answers `TPM_RC_RETRY` once, and the next one asks again.
    pub fn decline_ek_certificate(&mut self, index: u32) -> Result<(), HostError> {
        self.check_alive()?;
        let held = self.tpm.state.nv.index_mut(Handle(index)).ok_or(HostError::NoCertificate(index))?;
        held.certificate.as_mut().ok_or(HostError::NoCertificate(index))?.progress = CertificateProgress::Declined;
        Ok(())
    }

    /// Walks over the indices whose certificates are missing, because they were never set or because the seed changed.
    pub fn stale_ek_certificates(&self) -> impl Iterator<Item = (u32, Ek)> {
        self.tpm.state.nv.iter().filter_map(|index| {
            let certificate = index.certificate?;
            (certificate.progress != CertificateProgress::Present).then_some((index.handle().0, certificate.ek))
        })
    }

    fn check_alive(&self) -> Result<(), HostError> {
        if matches!(self.tpm.phase, Phase::Failed(_)) { Err(HostError::Failed) } else { Ok(()) }
    }
}

/// Finds the template of `TPM2_CreatePrimary`, which is never encrypted: the sensitive parameter before it may be.
fn template_of(parameters: &[u8], supported: &evtpm_tpm_wire::Supported) -> Option<TpmtPublic> {
    let mut reader = Reader::new(parameters, supported);
    let sensitive: u16 = reader.read().ok()?;
    reader.take(usize::from(sensitive)).ok()?;
    reader.read::<Tpm2bPublic>().ok().map(|public| public.0)
}

#[cfg(test)]
mod tests;
