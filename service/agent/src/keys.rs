// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The keys of this boot in the guest's TPM: one endorsement key, one attestation key, and what is done with them.

use anyhow::{Context, Result};
use evtpm_client::{Client, Object, PcrValue, Quote, Transport};
use evtpm_crypto::Rng;
use evtpm_protocol::credential::Credential;
use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_tpm_wire::{
    Handle, Marshal, Reader, Supported, Tpm2bIdObject, TpmiRhHierarchy, TpmlPcrSelection, TpmtPublic, Unmarshal, Writer,
};

/// The largest public area or signature, with its size.
const MAX_STRUCTURE: usize = 2048;

/// The endorsement key that is made first: the one that an e-vTPM has at boot, and quick to make.
pub const FIRST_EK: EkTemplate = EkTemplate::L2;

/// How often a quote is repeated because a register changed meanwhile.
const QUOTE_ATTEMPTS: usize = 16;

/// A TPM with its endorsement and attestation keys loaded.
///
/// Both are primary keys: the same template gives the same key for as long as the TPM keeps its seeds, which is this boot
/// in an e-vTPM. So the agent keeps nothing, and may be started again.
#[derive(Debug)]
pub struct Keys<T, R> {
    pub(crate) tpm: Client<T, R>,
    template: EkTemplate,
    /// `None` while its place is needed: a small TPM has three.
    ek: Option<Object>,
    pub(crate) ak: Object,
}

impl<T: Transport, R: Rng> Keys<T, R> {
    /// Makes the P-256 endorsement key (L-2) and attestation key of this boot.
    ///
    /// # Errors
    /// Names the step that the TPM refused.
    pub fn new(tpm: Client<T, R>) -> Result<Self> {
        Self::with_attestation_key(tpm, &attestation_key())
    }

    /// Makes the P-256 endorsement key (L-2) of this boot, and an attestation key by this template.
    ///
    /// # Errors
    /// Names the step that the TPM refused.
    pub fn with_attestation_key(tpm: Client<T, R>, template: &TpmtPublic) -> Result<Self> {
        Self::of(tpm, FIRST_EK, AttestationKey::Made(template))
    }

    /// Makes the endorsement key of another template, and makes or takes up the attestation key.
    ///
    /// # Errors
    /// Names the step that the TPM refused.
    pub(crate) fn of(mut tpm: Client<T, R>, template: EkTemplate, ak: AttestationKey<'_>) -> Result<Self> {
        let ek = endorsement_key(&mut tpm, template)?;
        let ak = match ak {
            AttestationKey::Made(template) => {
                tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], template).context("making the attestation key")?
            }
            AttestationKey::At(handle) => {
                tpm.object(handle).with_context(|| format!("the attestation key at {:#010x}", handle.0))?
            }
        };
        Ok(Keys { tpm, template, ek: Some(ek), ak })
    }

    /// Takes another template for the endorsement key.
    ///
    /// # Errors
    /// When the TPM does not give up the one that is loaded.
    pub fn use_endorsement_key(&mut self, template: EkTemplate) -> Result<()> {
        if self.template != template {
            self.unload_endorsement_key()?;
            self.template = template;
        }
        Ok(())
    }

    /// Frees the endorsement key's place in the TPM; the same key is made again when it is needed.
    ///
    /// # Errors
    /// When the TPM refuses.
    pub fn unload_endorsement_key(&mut self) -> Result<()> {
        match self.ek.take() {
            Some(ek) => self.tpm.flush(ek.handle).context("flushing the endorsement key"),
            None => Ok(()),
        }
    }

    /// Returns the endorsement key, loaded.
    pub(crate) fn endorsement_key(&mut self) -> Result<Object> {
        let ek = match self.ek.take() {
            Some(ek) => ek,
            None => endorsement_key(&mut self.tpm, self.template)?,
        };
        self.ek = Some(ek.clone());
        Ok(ek)
    }

    /// Opens a credential: only the TPM that holds both keys can. `secret` is a whole TPM2B_ENCRYPTED_SECRET.
    ///
    /// # Errors
    /// When it is malformed, or the TPM refuses it.
    pub fn open_credential(&mut self, credential: &[u8], secret: &[u8]) -> Result<Credential> {
        let blob = Tpm2bIdObject::unmarshal(&mut Reader::new(credential, &Supported::ALL))
            .map_err(|code| anyhow::anyhow!("the verifier's credential is malformed ({code:?})"))?;
        let (size, secret) = secret.split_first_chunk::<2>().context("the verifier's secret is too short")?;
        anyhow::ensure!(usize::from(u16::from_be_bytes(*size)) == secret.len(), "the verifier's secret is malformed");
        let ek = self.endorsement_key()?;
        self.tpm.activate_credential(&self.ak, &ek, &[], &blob, secret).context("opening the credential")
    }

    /// Quotes until the registers stand still around it: IMA may extend one between two commands.
    ///
    /// # Errors
    /// When the TPM refuses, or the registers never stand still.
    pub fn consistent_quote(&mut self, nonce: &[u8], pcrs: &TpmlPcrSelection) -> Result<(Quote, Vec<PcrValue>)> {
        let mut before = self.tpm.pcr_read(pcrs).context("reading the PCRs")?;
        for _ in 0..QUOTE_ATTEMPTS {
            let quote = self.tpm.quote(&self.ak, &[], nonce, pcrs).context("quoting")?;
            let after = self.tpm.pcr_read(pcrs).context("reading the PCRs")?;
            if before == after {
                return Ok((quote, after));
            }
            before = after;
        }
        anyhow::bail!("the PCRs changed during each of {QUOTE_ATTEMPTS} quotes")
    }
}

/// Where an attestation key comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AttestationKey<'a> {
    /// It is made by this template.
    Made(&'a TpmtPublic),
    /// Somebody made it, and it persists.
    At(Handle),
}

fn endorsement_key<T: Transport, R: Rng>(tpm: &mut Client<T, R>, template: EkTemplate) -> Result<Object> {
    tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public()).context("making the endorsement key")
}

/// Marshals a public area with the size before it, as a TPM2B.
///
/// # Errors
/// When it is longer than any key's.
pub fn sized(public: &TpmtPublic) -> Result<Vec<u8>> {
    let mut buffer = vec![0; MAX_STRUCTURE];
    let mut writer = Writer::new(&mut buffer);
    writer.sized(public).map_err(|_| too_long())?;
    Ok(writer.into_written().to_vec())
}

/// Marshals a structure as it is.
pub(crate) fn bytes_of(value: &impl Marshal) -> Result<Vec<u8>> {
    let mut buffer = vec![0; MAX_STRUCTURE];
    Ok(value.to_bytes(&mut buffer).map_err(|_| too_long())?.to_vec())
}

pub(crate) fn too_long() -> anyhow::Error {
    anyhow::anyhow!("a structure of the TPM is longer than {MAX_STRUCTURE} bytes")
}
