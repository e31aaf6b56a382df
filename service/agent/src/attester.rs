// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attester: its keys, its registration, its quotes.

use anyhow::{Context, Result};
use evtpm_api::{
    BankSelection, Binding, CredentialChallenge, CredentialProof, LaunchEvidence, QUALIFYING_LABEL, QuoteChallenge,
    Registered, RegistrationOpened, RegistrationRequest, RuntimeEvidence, Verdict,
};
use evtpm_client::{Client, Object, PcrValue, Quote, Transport};
use evtpm_crypto::{Crypto, HashAlg as Hash, Rng, RustCrypto};
use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_svsm_abi::attest::NONCE_SIZE;
use evtpm_svsm_abi::manifest::{VTPM_V0, VTPM_V1};
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, PcrIndex, PcrSelect, Reader, Supported, Tpm2bIdObject, TpmiRhHierarchy, TpmlPcrSelection,
    TpmsPcrSelection, Unmarshal, Writer,
};
use hyper::Method;

use crate::logs::Logs;
use crate::tsm::SvsmReports;
use crate::verifier::Connection;

/// The largest public area or signature, with its size.
const MAX_STRUCTURE: usize = 2048;

/// The endorsement key that is made first: the one that an e-vTPM has at boot, and quick to make.
const FIRST_EK: EkTemplate = EkTemplate::L2;

/// How often a quote is repeated because a register changed meanwhile.
const QUOTE_ATTEMPTS: usize = 16;

/// Where the report comes from that vouches for the endorsement key.
#[derive(Debug)]
enum Voucher {
    /// It lies in the TPM's NV memory, as in the paper: made at boot, for no verifier in particular.
    Nv(Vec<u8>),
    /// The SVSM makes it in answer to the verifier's nonce.
    Svsm(Box<dyn SvsmReports>),
}

/// A TPM with its endorsement and attestation keys loaded.
#[derive(Debug)]
pub struct Attester<T, R> {
    tpm: Client<T, R>,
    template: EkTemplate,
    ek: Object,
    ak: Object,
    voucher: Voucher,
}

impl<T: Transport, R: Rng> Attester<T, R> {
    /// Makes the P-256 endorsement key (L-2) and attestation key of this boot, and reads the report that lies at the
    /// endorsement key certificate's NV index.
    ///
    /// # Errors
    /// Names the step that the TPM refused. A TPM without a report there is not an e-vTPM.
    pub fn new(transport: T, rng: R) -> Result<Self> {
        let mut tpm = Client::new(transport, rng);
        let index = FIRST_EK.certificate_index();
        let report = tpm
            .nv_read(Handle(index), &[])
            .with_context(|| format!("reading the report at NV index {index:#010x}: is this an e-vTPM?"))?;
        Self::with_voucher(tpm, Voucher::Nv(report))
    }

    /// Makes the same keys; the report will come from the SVSM, in answer to the nonce of each registration.
    ///
    /// # Errors
    /// Names the step that the TPM refused.
    pub fn with_svsm(transport: T, rng: R, svsm: Box<dyn SvsmReports>) -> Result<Self> {
        Self::with_voucher(Client::new(transport, rng), Voucher::Svsm(svsm))
    }

    fn with_voucher(mut tpm: Client<T, R>, voucher: Voucher) -> Result<Self> {
        let ek = endorsement_key(&mut tpm, FIRST_EK)?;
        let ak = tpm
            .create_primary(TpmiRhHierarchy::Endorsement, &[], &attestation_key())
            .context("making the attestation key")?;
        Ok(Attester { tpm, template: FIRST_EK, ek, ak, voucher })
    }

    /// Borrows the TPM.
    pub fn tpm(&mut self) -> &mut Client<T, R> {
        &mut self.tpm
    }

    /// Returns what the chip says of this launch, and the keys of this boot. The nonce counts where the SVSM is asked.
    ///
    /// # Errors
    /// When neither manifest of the SVSM can be had, or the TPM does not make the key that is in it.
    pub fn launch_evidence(&mut self, nonce: &[u8]) -> Result<LaunchEvidence> {
        let (binding, vouched) = match &mut self.voucher {
            Voucher::Nv(report) => (Binding::NvReport, Vouched { report: report.clone(), ..Vouched::default() }),
            Voucher::Svsm(svsm) => ask_svsm(svsm.as_mut(), nonce)?,
        };
        self.use_key(if binding == Binding::SvsmV0 { EkTemplate::L1 } else { FIRST_EK })?;
        Ok(LaunchEvidence {
            binding,
            report: vouched.report.into(),
            manifest: vouched.manifest.map(Into::into),
            certificates: vouched.certificates.map(Into::into),
            ek_public: sized(&self.ek.public)?.into(),
            ak_public: sized(&self.ak.public)?.into(),
        })
    }

    /// Changes the endorsement key where another than the loaded one is vouched for.
    fn use_key(&mut self, template: EkTemplate) -> Result<()> {
        if self.template != template {
            self.tpm.flush(self.ek.handle).context("flushing the endorsement key")?;
            self.ek = endorsement_key(&mut self.tpm, template)?;
            self.template = template;
        }
        Ok(())
    }

    /// Opens a credential: only the TPM that holds both keys can.
    ///
    /// # Errors
    /// When the TPM refuses it.
    pub fn open_credential(&mut self, challenge: &CredentialChallenge) -> Result<CredentialProof> {
        let blob = Tpm2bIdObject::unmarshal(&mut Reader::new(&challenge.credential, &Supported::ALL))
            .map_err(|code| anyhow::anyhow!("the verifier's credential is malformed ({code:?})"))?;
        // TPM2B_ENCRYPTED_SECRET: the size stands before the bytes.
        let (size, secret) = challenge.secret.split_first_chunk::<2>().context("the verifier's secret is too short")?;
        anyhow::ensure!(usize::from(u16::from_be_bytes(*size)) == secret.len(), "the verifier's secret is malformed");
        let credential =
            self.tpm.activate_credential(&self.ak, &self.ek, &[], &blob, secret).context("opening the credential")?;
        Ok(CredentialProof { secret: credential.as_bytes().into() })
    }

    /// Registers this boot of `machine`.
    ///
    /// # Errors
    /// The verifier's refusal, or the TPM's.
    pub async fn register(&mut self, verifier: &mut Connection, machine: &str) -> Result<Registered> {
        let request = RegistrationRequest { machine: machine.to_owned() };
        let opened: RegistrationOpened = verifier.request(Method::POST, "/registrations", &request).await?;
        let path = format!("/registrations/{}", opened.registration);
        let evidence = self.launch_evidence(&opened.nonce)?;
        let challenge: CredentialChallenge =
            verifier.request(Method::PUT, &format!("{path}/evidence"), &evidence).await?;
        let proof = self.open_credential(&challenge)?;
        verifier.request(Method::PUT, &format!("{path}/proof"), &proof).await
    }

    /// Quotes in answer to a challenge, on the connection whose channel binding is `binding`.
    ///
    /// # Errors
    /// When the challenge asks for what this TPM does not have, or the TPM refuses.
    pub fn quote(
        &mut self,
        challenge: &QuoteChallenge,
        binding: &[u8],
        logs: impl FnOnce() -> Result<Logs>,
    ) -> Result<RuntimeEvidence> {
        let selection = selection(&challenge.selection)?;
        let nonce = RustCrypto::hash(Hash::Sha256, &[QUALIFYING_LABEL, &challenge.nonce, binding]);
        let (quote, values) = self.consistent_quote(nonce.as_bytes(), &selection)?;
        // After the quote: the list then holds at least what the quote covers, and a verifier finds the prefix.
        let logs = logs()?;
        let mut pcrs = Vec::new();
        for bank in selection.iter() {
            for value in values.iter().filter(|value| value.hash == bank.hash) {
                pcrs.push(value.digest.as_bytes().into());
            }
        }
        let mut signature = vec![0; MAX_STRUCTURE];
        let signature = quote.signature.to_bytes(&mut signature).map_err(|_| too_long())?.to_vec();
        Ok(RuntimeEvidence {
            challenge: challenge.challenge.clone(),
            message: quote.attest.as_bytes().into(),
            signature: signature.into(),
            pcrs,
            event_log: logs.event_log.into(),
            ima_log: logs.ima_log.into(),
        })
    }

    /// Quotes until the registers stand still around it: IMA may extend one between two commands.
    fn consistent_quote(&mut self, nonce: &[u8], pcrs: &TpmlPcrSelection) -> Result<(Quote, Vec<PcrValue>)> {
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

    /// Attests once.
    ///
    /// # Errors
    /// The verifier's refusal, or the TPM's; a verdict is not an error, whatever it says.
    pub async fn attest(
        &mut self,
        verifier: &mut Connection,
        registered: &Registered,
        logs: impl FnOnce() -> Result<Logs>,
    ) -> Result<Verdict> {
        let path = format!("/attesters/{}", registered.attester);
        let challenge: QuoteChallenge = verifier.request(Method::POST, &format!("{path}/challenges"), &()).await?;
        let binding = *verifier.binding();
        let evidence = self.quote(&challenge, &binding, logs)?;
        verifier.request(Method::PUT, &format!("{path}/evidence"), &evidence).await
    }
}

/// What vouches for a key.
#[derive(Debug, Default)]
struct Vouched {
    report: Vec<u8>,
    manifest: Option<Vec<u8>>,
    certificates: Option<Vec<u8>>,
}

/// Asks for the manifest that lists all keys, then for the older one, which is the RSA key's.
fn ask_svsm(svsm: &mut dyn SvsmReports, nonce: &[u8]) -> Result<(Binding, Vouched)> {
    let nonce: &[u8; NONCE_SIZE] = nonce
        .try_into()
        .with_context(|| format!("the verifier's nonce has {} bytes instead of {NONCE_SIZE}", nonce.len()))?;
    for (version, binding) in [(VTPM_V1, Binding::SvsmV1), (VTPM_V0, Binding::SvsmV0)] {
        let answer = svsm.vtpm_report(nonce, version);
        if let Some(answer) =
            answer.with_context(|| format!("asking the SVSM for its manifest of version {version}"))?
        {
            let certificates = Some(answer.certificates).filter(|table| !table.is_empty());
            return Ok((binding, Vouched { report: answer.report, manifest: Some(answer.manifest), certificates }));
        }
    }
    anyhow::bail!("the SVSM gives no report with a manifest of version {VTPM_V1} or {VTPM_V0}")
}

fn endorsement_key<T: Transport, R: Rng>(tpm: &mut Client<T, R>, template: EkTemplate) -> Result<Object> {
    tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public()).context("making the endorsement key")
}

/// Marshals with the size before it, as a TPM2B.
fn sized(value: &impl Marshal) -> Result<Vec<u8>> {
    let mut buffer = vec![0; MAX_STRUCTURE];
    let mut writer = Writer::new(&mut buffer);
    writer.sized(value).map_err(|_| too_long())?;
    Ok(writer.into_written().to_vec())
}

fn too_long() -> anyhow::Error {
    anyhow::anyhow!("a structure of the TPM is longer than {MAX_STRUCTURE} bytes")
}

/// Puts the challenge's words into the TPM's.
fn selection(banks: &[BankSelection]) -> Result<TpmlPcrSelection> {
    let mut selection = TpmlPcrSelection::new();
    for bank in banks {
        let hash = match bank.bank.as_str() {
            "sha1" => HashAlg::Sha1,
            "sha256" => HashAlg::Sha256,
            "sha384" => HashAlg::Sha384,
            "sha512" => HashAlg::Sha512,
            other => anyhow::bail!("the verifier asks for the bank `{other}`, which no TPM here has"),
        };
        let mut select = PcrSelect::NONE;
        for pcr in &bank.pcrs {
            let index = PcrIndex::new(u32::from(*pcr)).with_context(|| format!("there is no PCR {pcr}"))?;
            select = select.with(index);
        }
        selection.push(TpmsPcrSelection { hash, select }).map_err(|_| too_long())?;
    }
    Ok(selection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_bank_is_named() {
        let error = selection(&[BankSelection { bank: "md5".into(), pcrs: vec![0] }]).unwrap_err();
        assert!(error.to_string().contains("`md5`"), "{error}");
    }

    #[test]
    fn a_pcr_beyond_23_is_named() {
        let error = selection(&[BankSelection { bank: "sha256".into(), pcrs: vec![24] }]).unwrap_err();
        assert!(error.to_string().contains("24"), "{error}");
    }
}
