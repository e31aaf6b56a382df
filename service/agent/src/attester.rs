// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attester: its keys, its registration, its quotes.

use anyhow::{Context, Result};
use evtpm_api::{
    BankSelection, CredentialChallenge, CredentialProof, LaunchEvidence, QUALIFYING_LABEL, QuoteChallenge, Registered,
    RegistrationOpened, RegistrationRequest, RuntimeEvidence, Verdict,
};
use evtpm_client::{Client, Transport};
use evtpm_crypto::{Crypto, HashAlg as Hash, Rng, RustCrypto};
use evtpm_tpm_wire::{HashAlg, PcrIndex, PcrSelect, TpmlPcrSelection, TpmsPcrSelection};
use hyper::Method;

use crate::keys::{Keys, bytes_of, sized, too_long};
use crate::logs::Logs;
use crate::tsm::SvsmReports;
use crate::verifier::Connection;
use crate::voucher::{NvSource, Voucher};

/// A TPM with its keys, and what vouches for them.
#[derive(Debug)]
pub struct Attester<T, R> {
    keys: Keys<T, R>,
    voucher: Voucher,
    /// Whether verdicts are wanted as signed results too.
    results: bool,
}

impl<T: Transport, R: Rng> Attester<T, R> {
    /// Makes the P-256 endorsement key (L-2) and attestation key of this boot, and reads the report that lies at the
    /// endorsement key certificate's NV index.
    ///
    /// # Errors
    /// Names the step that the TPM refused. A TPM without a report there is not an e-vTPM.
    pub fn new(transport: T, rng: R) -> Result<Self> {
        Self::with_nv(transport, rng, NvSource::Report)
    }

    /// Looks in the TPM's NV memory for what vouches for an endorsement key, and makes that key and the attestation key.
    ///
    /// # Errors
    /// Names what is not there, or the step that the TPM refused.
    pub fn with_nv(transport: T, rng: R, source: NvSource) -> Result<Self> {
        let mut tpm = Client::new(transport, rng);
        let voucher = Voucher::find(&mut tpm, source)?;
        Ok(Attester { keys: voucher.keys(tpm)?, voucher, results: true })
    }

    /// Makes the same keys; the report will come from the SVSM, in answer to the nonce of each registration.
    ///
    /// # Errors
    /// Names the step that the TPM refused.
    pub fn with_svsm(transport: T, rng: R, svsm: Box<dyn SvsmReports>) -> Result<Self> {
        let voucher = Voucher::Svsm(svsm);
        Ok(Attester { keys: voucher.keys(Client::new(transport, rng))?, voucher, results: true })
    }

    /// Says whether verdicts are wanted as signed results too, as they are by default.
    pub fn want_results(&mut self, results: bool) {
        self.results = results;
    }

    /// Borrows the keys of this boot.
    pub fn keys(&mut self) -> &mut Keys<T, R> {
        &mut self.keys
    }

    /// Borrows the TPM.
    pub fn tpm(&mut self) -> &mut Client<T, R> {
        &mut self.keys.tpm
    }

    /// Returns what the chip says of this launch, and the keys of this boot. The nonce counts where the SVSM is asked.
    ///
    /// # Errors
    /// When neither manifest of the SVSM can be had, or the TPM does not make the key that is in it.
    pub fn launch_evidence(&mut self, nonce: &[u8]) -> Result<LaunchEvidence> {
        let vouched = self.voucher.vouch(nonce)?;
        self.keys.use_endorsement_key(vouched.key)?;
        Ok(LaunchEvidence {
            binding: vouched.binding,
            report: vouched.report.into(),
            ek_certificate: vouched.certificate.map(Into::into),
            manifest: vouched.manifest.map(Into::into),
            certificates: vouched.certificates.map(Into::into),
            ek_public: sized(&self.keys.endorsement_key()?.public)?.into(),
            ak_public: sized(&self.keys.ak.public)?.into(),
        })
    }

    /// Opens a credential: only the TPM that holds both keys can.
    ///
    /// # Errors
    /// When the TPM refuses it.
    pub fn open_credential(&mut self, challenge: &CredentialChallenge) -> Result<CredentialProof> {
        let credential = self.keys.open_credential(&challenge.credential, &challenge.secret)?;
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
        let (quote, values) = self.keys.consistent_quote(nonce.as_bytes(), &selection)?;
        // After the quote: the list then holds at least what the quote covers, and a verifier finds the prefix.
        let (logs, whole) = logs()?.wanted(challenge)?;
        let mut pcrs = Vec::new();
        for bank in selection.iter() {
            for value in values.iter().filter(|value| value.hash == bank.hash) {
                pcrs.push(value.digest.as_bytes().into());
            }
        }
        Ok(RuntimeEvidence {
            challenge: challenge.challenge.clone(),
            message: quote.attest.as_bytes().into(),
            signature: bytes_of(&quote.signature)?.into(),
            pcrs,
            event_log: logs.event_log.into(),
            ima_log: logs.ima_log.into(),
            ima_from: if whole { 0 } else { challenge.ima_from },
            whole,
            result: self.results,
        })
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
