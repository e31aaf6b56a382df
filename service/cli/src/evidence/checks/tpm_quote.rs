// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tpm-quote`: quotes in the forms in which other projects store them, with their keys, registers and logs.

mod forms;
mod weak;

use anyhow::{Context, Result};
use evtpm_logs::{EventLog, HashId, PcrIndex};
use evtpm_verify::UnixTime;
use evtpm_verify::logs::CryptoHashes;
use evtpm_verify::tpm::{Issued, Quote, QuoteEvidence, Selection, TrustedAk};
use evtpm_verify::x509::{Certificate, Path};
use serde::Deserialize;

use super::DAY;
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;
pub(super) use forms::{own_nonce, rsassa_sha256};

#[derive(Debug, Deserialize)]
struct Expect {
    signature: Option<String>,
    signatures: Option<String>,
    signature_with_ak_pem: Option<String>,
    signature_with_akcert: Option<String>,
    akcert_chain: Option<String>,
    qualifying_data: Option<String>,
    pcr_digest_matches: Option<bool>,
    pcr10_not_in_log: Option<String>,
    pcr_selection: Option<Selected>,
    pcr_digest: Option<String>,
    clock_info: Option<Clock>,
    firmware_version: Option<String>,
}

/// The registers of each bank, by the TCG's number of its algorithm.
pub(super) type Selected = Vec<(u16, Vec<u8>)>;
/// Milliseconds, resets, restarts, and whether the clock is safe.
pub(super) type Clock = (u64, u32, u32, u8);

/// What the index expects that a quote says.
pub(super) struct Said<'a> {
    pub(super) pcr_selection: Option<&'a Selected>,
    pub(super) pcr_digest: Option<&'a String>,
    pub(super) clock_info: Option<&'a Clock>,
    pub(super) firmware_version: Option<&'a String>,
}

impl Said<'_> {
    pub(super) fn compare(&self, quote: &Quote, message: &[u8], findings: &mut Findings) {
        if let Some(expected) = self.pcr_digest {
            // The digest is the last field of the message.
            findings.holds("pcr digest", hex(message).ends_with(expected.as_str()));
        }
        let selection =
            quote.banks().iter().map(|bank| (bank.algorithm().0, bank.pcrs().iter().map(PcrIndex::value).collect()));
        findings.equal_if("pcr selection", self.pcr_selection, &selection.collect());
        let clock = quote.clock();
        let clock = (clock.milliseconds, clock.reset_count, clock.restart_count, u8::from(clock.safe));
        findings.equal_if("clock", self.clock_info, &clock);
        findings.equal_if("firmware version", self.firmware_version, &format!("{:#x}", quote.firmware_version()));
    }
}

/// One quote as it lies in an item.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) message: Vec<u8>,
    /// `TPMT_SIGNATURE`.
    pub(super) signature: Vec<u8>,
    pub(super) selection: Selection,
    pub(super) values: Vec<Vec<u8>>,
    pub(super) nonce: Vec<u8>,
}

impl Recorded {
    pub(super) fn verify(&self, key: &TrustedAk) -> Result<Quote, evtpm_verify::tpm::Error> {
        let values: Vec<&[u8]> = self.values.iter().map(Vec::as_slice).collect();
        let evidence = QuoteEvidence { message: &self.message, signature: &self.signature, values: &values };
        key.verify(evidence, Issued::recorded(&self.nonce), &self.selection, UnixTime(0))
    }

    /// A quote with another nonce, another value or another message is not believed.
    pub(super) fn check_tampered(&self, what: &str, key: &TrustedAk, findings: &mut Findings) {
        let other = |change: &dyn Fn(&mut Self)| {
            let mut other = self.copy();
            change(&mut other);
            other.verify(key)
        };
        findings.holds(&format!("{what}: another nonce is refused"), other(&|quote| quote.nonce.push(0)).is_err());
        let value = other(&|quote| quote.values.iter_mut().take(1).flatten().take(1).for_each(|byte| *byte ^= 1));
        findings.holds(&format!("{what}: another value is refused"), value.is_err());
        let all = (0..self.message.len()).all(|at| {
            other(&|quote| quote.message.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x20)).is_err()
        });
        findings.holds(&format!("{what}: each changed byte is refused"), all);
    }

    fn copy(&self) -> Self {
        Self {
            message: self.message.clone(),
            signature: self.signature.clone(),
            selection: self.selection.clone(),
            values: self.values.clone(),
            nonce: self.nonce.clone(),
        }
    }
}

impl Expect {
    fn said(&self) -> Said<'_> {
        Said {
            pcr_selection: self.pcr_selection.as_ref(),
            pcr_digest: self.pcr_digest.as_ref(),
            clock_info: self.clock_info.as_ref(),
            firmware_version: self.firmware_version.as_ref(),
        }
    }
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    if let Some(quotes) = weak::read(store)? {
        return weak::check(&quotes, &expect, findings);
    }
    if let Some(nonce) = forms::lone_message(store) {
        return check_message(&nonce, &expect, findings);
    }
    let forms::Form { key, quotes, named_nonce } = forms::read(store)?;
    let expected = [&expect.signature, &expect.signatures, &expect.signature_with_ak_pem];
    let expected = expected.into_iter().flatten().next().map_or("valid", String::as_str);
    let mut verified = Vec::new();
    for (n, recorded) in quotes.iter().enumerate() {
        let what = format!("quote {}", n + 1);
        let verdict = findings.verdict(&what, expected, recorded.verify(&key));
        if let Some(quote) = &verdict {
            recorded.check_tampered(&what, &key, findings);
            expect.said().compare(quote, &recorded.message, findings);
        }
        verified.extend(verdict);
        if let Some(nonce) = &expect.qualifying_data {
            let wanted = named_nonce.as_ref().filter(|(name, _)| name == nonce).map(|(_, nonce)| Ok(nonce.clone()));
            let wanted = wanted.unwrap_or_else(|| ::hex::decode(nonce)).context("qualifying data")?;
            findings.equal(&format!("{what}: qualifying data"), &wanted, &recorded.nonce);
        }
    }
    // A quote is only verified if its digest is that of the values.
    findings.equal_if("pcr digest", expect.pcr_digest_matches.as_ref(), &(verified.len() == quotes.len()));
    check_certificate(&expect, &key, &quotes, store, findings)?;
    check_log(&expect, &verified, store, findings)
}

/// A message without signature says what it says, and is no quote that anyone could verify.
fn check_message(nonce: &[u8], expect: &Expect, findings: &mut Findings) -> Result<()> {
    findings.pass("message");
    findings.not_checkable("the quote: its signature is not in the item");
    if let Some(expected) = &expect.qualifying_data {
        findings.equal("qualifying data", &::hex::decode(expected).context("qualifying data")?, &nonce.to_vec());
    }
    let expected = [&expect.signature, &expect.signatures].into_iter().flatten().next();
    findings.holds("no valid signature is expected", expected.is_none_or(|expected| expected != "valid"));
    Ok(())
}

/// Replays the log beside the quotes to the quoted registers.
fn check_log(expect: &Expect, quotes: &[Quote], store: &Store, findings: &mut Findings) -> Result<()> {
    let Some(log) = store.find("eventlog.bin") else { return Ok(()) };
    let log = EventLog::parse(log)?;
    for bank in quotes.iter().flat_map(Quote::banks) {
        let replayed = log.replay(&[bank.algorithm()], &CryptoHashes)?;
        let Some(replayed) = replayed.first() else { continue };
        let differing = bank.iter().filter(|(pcr, value)| replayed.value(*pcr) != *value).map(|(pcr, _)| pcr.value());
        let differing: Vec<u8> = differing.filter(|pcr| *pcr != 10).collect();
        findings.equal(&format!("{} replay", bank.algorithm()), &Vec::<u8>::new(), &differing);
        if expect.pcr10_not_in_log.is_some() {
            let not_logged = PcrIndex::new(10).is_some_and(|pcr| {
                let quoted = bank.value(pcr).is_some_and(|value| value.as_bytes().iter().any(|byte| *byte != 0));
                quoted && !replayed.extended().contains(pcr)
            });
            findings.holds(&format!("{} PCR 10 is quoted and not in the log", bank.algorithm()), not_logged);
        }
    }
    Ok(())
}

/// Checks the AK certificate beside the quotes: its chain, and whether it is for the key that signed them.
fn check_certificate(
    expect: &Expect,
    key: &TrustedAk,
    quotes: &[Recorded],
    store: &Store,
    findings: &mut Findings,
) -> Result<()> {
    let Some((_, der)) = store.files().find(|(name, _)| name.contains("cert") && name.ends_with(".der")) else {
        return Ok(());
    };
    let certificate = Certificate::from_der(der)?;
    let certified = TrustedAk::named_key(&certificate.public_key()?, forms::scheme(quotes)?)?;
    match &expect.signature_with_akcert {
        Some(expected) => {
            for recorded in quotes {
                findings.verdict("quote by the certified key", expected, recorded.verify(&certified));
            }
        }
        None => findings.holds("certificate is for the key", certified.same_key(key)),
    }
    let Some(expected) = &expect.akcert_chain else {
        findings.not_checkable("the AK certificate's issuer is not in the item");
        return Ok(());
    };
    let mut pool = Vec::new();
    for (_, bytes) in store.files().filter(|(name, _)| name.ends_with(".pem") && !name.starts_with("ak.")) {
        pool.extend(Certificate::all_from(bytes)?);
    }
    let (roots, pool): (Vec<_>, Vec<_>) = pool.into_iter().partition(Certificate::is_self_issued);
    let path = Path::find(&certificate, &pool, &roots);
    let Some(path) = findings.accepted("certificate chain", path) else { return Ok(()) };
    findings.accepted("certificate chain in time", path.check_validity(UnixTime(certificate.validity().0.0 + DAY)));
    // "AK cert < Global Virtual TPM CA - 03 (expires …) < Azure Virtual TPM Root CA 2023": the words are the index's own.
    findings.equal("certificates of the chain", &expected.split('<').count(), &path.certificates().count());
    Ok(())
}

/// All 24 registers of one bank.
pub(super) fn every_register(bank: HashId) -> Result<Selection> {
    Selection::new().with(bank, PcrIndex::all().collect()).context("an empty selection")
}
