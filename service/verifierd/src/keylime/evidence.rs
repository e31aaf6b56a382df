// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One quote of a Keylime agent against what its tenant ordered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_keylime::quote::QuoteText;
use evtpm_keylime::verifier::TpmPolicy;
use evtpm_logs::ima::AsciiList;
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_verify::UnixTime;
use evtpm_verify::logs::{Aggregate, ImaFile, MeasuredBoot, MeasuredRuntime, Progress, RuntimeRules as LogRules};
use evtpm_verify::tpm::{ClockWitness, Issued, QualifyingData, Quote, QuoteEvidence, Selection, TrustedAk};

use super::boot::{self, BootRules};
use super::rules::RuntimeRules;
use crate::hex::{hex, unhex};

/// IMA's register.
const IMA_PCR: u32 = 10;
/// The register that the agent's transport key is hashed into, before each quote.
const KEY_PCR: u32 = 16;
/// The most failures that are listed.
const MOST: usize = 100;

/// One reason to distrust an agent, by Keylime's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) event_id: String,
    pub(crate) context: String,
}

impl Failure {
    pub(crate) fn new(event_id: &str, context: impl std::fmt::Display) -> Self {
        Failure { event_id: event_id.to_owned(), context: context.to_string() }
    }
}

/// What the quote is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) key: &'a TrustedAk,
    pub(crate) tpm_policy: &'a TpmPolicy,
    /// The registers that the quote was asked for, without that of the transport key.
    pub(crate) asked: PcrSet,
    /// The runtime policy, where IMA's list is judged.
    pub(crate) rules: Option<&'a RuntimeRules>,
    /// How the firmware's log is judged, where it is.
    pub(crate) boot: Option<&'a BootRules>,
    pub(crate) hashes: &'a [String],
    pub(crate) signatures: Signatures<'a>,
    /// The agent's transport key, where the protocol binds it to the quote.
    pub(crate) transport_key: Option<&'a str>,
}

/// Which signature schemes are accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signatures<'a> {
    /// Those of the list.
    These(&'a [String]),
    /// Whatever attestation keys may have.
    Any,
}

/// What the agent sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) quote: &'a QuoteText,
    /// IMA's list in ASCII, from the entry on that it was asked from.
    pub(crate) ima_list: &'a str,
    /// The firmware's log; looked at once for each boot.
    pub(crate) event_log: &'a [u8],
}

/// Reads the firmware's log as agents send it.
pub(crate) fn event_log(base64: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(base64).map_err(|error| Failure::new("measured_boot.unreadable", error))
}

/// What earlier quotes of this boot left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) clock: Option<ClockWitness>,
    pub(crate) progress: Option<Progress>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) failures: Vec<Failure>,
    pub(crate) after: Before,
    pub(crate) quote: Quote,
}

/// Verifies and judges. An error is a quote that proves nothing at all.
pub(crate) fn judge(
    order: Order<'_>,
    evidence: Evidence<'_>,
    before: &Before,
    nonce: Issued<QualifyingData>,
    at: UnixTime,
) -> Result<Outcome, Failure> {
    let quote = verify(order, evidence.quote, nonce, at)?;
    let clock = match before.clock {
        Some(witness) => witness.follow(quote.clock()).map_err(|error| invalid("clock", error))?,
        None => ClockWitness::first(quote.clock()),
    };
    let mut failures = Vec::new();
    failures.extend(order.transport_key.and_then(|key| check_key(&quote, key)));
    failures.extend(check_values(&quote, order.tpm_policy));
    let progress = if order.rules.is_some() || order.boot.is_some() {
        logs(order, quote.clone(), evidence, before.progress.as_ref(), &mut failures)
    } else {
        None
    };
    failures.truncate(MOST);
    let progress = progress.filter(|_| failures.is_empty());
    Ok(Outcome { failures, after: Before { clock: Some(clock), progress }, quote })
}

/// A quote that cannot be believed, or read.
pub(crate) fn invalid(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::new(&format!("quote_validation.{what}"), error)
}

fn verify(order: Order<'_>, text: &QuoteText, nonce: Issued<QualifyingData>, at: UnixTime) -> Result<Quote, Failure> {
    let [selected] = text.pcrs.selections() else {
        return Err(invalid("malformed", "the quote is not of exactly one bank"));
    };
    let bank = HashId(selected.hash);
    let name = bank.to_string();
    if !order.hashes.contains(&name) {
        return Err(invalid("quote_algorithms.hash_alg", format!("{name} is not accepted")));
    }
    let scheme = scheme(&text.signature);
    if let Signatures::These(accepted) = order.signatures
        && !accepted.iter().any(|accepted| accepted == scheme)
    {
        return Err(invalid("quote_algorithms.sign_alg", format!("{scheme} is not accepted")));
    }
    // Keylime's Rust agent quotes the register of a transport key even where it has none. Which registers a quote is of is
    // taken from what is signed: the selection beside it only says which of the two to expect.
    let has_key = text.pcrs.iter().any(|(_, pcr, _)| u32::from(pcr) == KEY_PCR);
    let asked = if order.transport_key.is_some() || has_key { with(order.asked, KEY_PCR) } else { order.asked };
    let selection = Selection::new().with(bank, asked).ok_or_else(|| invalid("mask", "no PCR is asked for"))?;
    let values: Vec<&[u8]> = text.pcrs.values().iter().map(Vec::as_slice).collect();
    let evidence = QuoteEvidence { message: &text.message, signature: &text.signature, values: &values };
    order.key.verify(evidence, nonce, &selection, at).map_err(|error| invalid("quote_validation", error))
}

/// Names the algorithm of a TPMT_SIGNATURE (Part 2, "TPMI_ALG_SIG_SCHEME").
pub(crate) fn scheme(signature: &[u8]) -> &'static str {
    match signature {
        [0x00, 0x14, ..] => "rsassa",
        [0x00, 0x16, ..] => "rsapss",
        [0x00, 0x18, ..] => "ecdsa",
        [0x00, 0x1C, ..] => "ecschnorr",
        _ => "unknown",
    }
}

/// The PCRs that the policy's mask names: what an agent is asked for.
pub(crate) fn asked(policy: &TpmPolicy) -> Result<PcrSet, String> {
    let text = policy.mask.as_deref().unwrap_or("0x0");
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mask = u32::from_str_radix(digits, 16).ok().and_then(PcrSet::from_mask);
    mask.ok_or_else(|| format!("tpm_policy: `{text}` is no mask of PCRs"))
}

/// The PCRs that an agent that pushes is asked for: what the mask names, what the policy has values for, the firmware's
/// and IMA's where their logs are judged. As a quote has to be of something, it is of PCR 0 where nothing is asked for.
pub(crate) fn required(policy: &TpmPolicy, with_ima: bool, with_boot: bool) -> Result<PcrSet, String> {
    let valued = policy.values.keys().filter_map(|number| number.parse().ok().and_then(PcrIndex::new));
    let all = valued.fold(asked(policy)?, PcrSet::with);
    let all = if with_boot { all.union(boot::registers()) } else { all };
    let all = if with_ima { with(all, IMA_PCR) } else { all };
    Ok(if all.is_empty() { with(all, 0) } else { all })
}

fn with(pcrs: PcrSet, number: u32) -> PcrSet {
    PcrIndex::new(number).into_iter().fold(pcrs, PcrSet::with)
}

/// Whether the mask asks for IMA's register.
pub(crate) fn asks_for_ima(policy: &TpmPolicy) -> bool {
    let asked = asked(policy).unwrap_or_default();
    PcrIndex::new(IMA_PCR).is_some_and(|pcr| asked.contains(pcr))
}

/// The transport key is the one whose hash the quoted register was extended with, from zero.
fn check_key(quote: &Quote, key: &str) -> Option<Failure> {
    let bank = quote.banks().first()?;
    let hash = crypto_hash(bank.algorithm())?;
    let digest = RustCrypto::hash(hash, &[key.as_bytes()]);
    let zeros = vec![0; digest.as_bytes().len()];
    let expected = RustCrypto::hash(hash, &[&zeros, digest.as_bytes()]);
    let actual = bank.value(PcrIndex::new(KEY_PCR)?)?;
    (actual.as_bytes() != expected.as_bytes())
        .then(|| Failure::new("pcr_validation.invalid_pcr_16", "the transport key is not the one that the quote binds"))
}

fn crypto_hash(bank: HashId) -> Option<HashAlg> {
    match bank {
        HashId::SHA1 => Some(HashAlg::Sha1),
        HashId::SHA256 => Some(HashAlg::Sha256),
        HashId::SHA384 => Some(HashAlg::Sha384),
        HashId::SHA512 => Some(HashAlg::Sha512),
        _ => None,
    }
}

/// Every PCR that the policy has values for was quoted, with one of them.
fn check_values(quote: &Quote, policy: &TpmPolicy) -> Vec<Failure> {
    let check = |(number, accepted): (&String, &Vec<String>)| {
        let pcr = number.parse().ok().and_then(PcrIndex::new);
        let value = pcr.and_then(|pcr| quote.banks().first()?.value(pcr).copied());
        let Some(value) = value else {
            return Some(Failure::new("pcr_validation.missing_pcrs", format!("PCR {number} is not in the quote")));
        };
        let is_accepted = accepted.iter().any(|text| unhex(text).as_deref() == Some(value.as_bytes()));
        (!is_accepted).then(|| {
            let context = format!("PCR {number} is {}", hex(value.as_bytes()));
            Failure::new(&format!("pcr_validation.invalid_pcr_{number}"), context)
        })
    };
    policy.values.iter().filter_map(check).collect()
}

/// Replays the logs and judges what is new in them.
fn logs(
    order: Order<'_>,
    quote: Quote,
    evidence: Evidence<'_>,
    before: Option<&Progress>,
    failures: &mut Vec<Failure>,
) -> Option<Progress> {
    let mut fail = |event: &str, error: &dyn std::fmt::Display| failures.push(Failure::new(event, error));
    let list = if order.rules.is_some() { evidence.ima_list } else { "" };
    let list = AsciiList::to_binary(list.as_bytes()).map_err(|error| fail("ima.unreadable", &error)).ok()?;
    let log_rules = LogRules::default();
    if let Some(progress) = before {
        let later = progress.follow(quote, &list, log_rules).map_err(|error| fail("ima.pcr_mismatch", &error)).ok()?;
        if let Some(rules) = order.rules {
            failures.extend(later.files(&rules.keyring).filter_map(|file| rules.judge(&file, false)));
        }
        return Some(later.progress().clone());
    }
    let boot = match order.boot {
        Some(rules) => rules.judge(quote, evidence.event_log).map_err(|failure| failures.push(failure)).ok()?,
        None => {
            let boot = MeasuredBoot::unlogged(quote, ima());
            boot.map_err(|error| fail("ima.pcr_mismatch", &error)).ok()?
        }
    };
    let Some(rules) = order.rules else { return Some(boot.progress()) };
    let runtime = MeasuredRuntime::verify(boot, &list, log_rules);
    let runtime = runtime.map_err(|error| failures.push(Failure::new("ima.pcr_mismatch", &error))).ok()?;
    let proven = matches!(runtime.aggregate(), Aggregate::Verified { .. });
    let all = runtime.entries().map(|entry| ImaFile::of(entry, &rules.keyring));
    failures.extend(all.filter_map(|file| rules.judge(&file, proven)));
    Some(runtime.progress())
}

/// IMA's register, which its list goes on extending.
pub(super) fn ima() -> PcrSet {
    PcrIndex::new(IMA_PCR).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mask: &str) -> TpmPolicy {
        TpmPolicy { mask: Some(mask.into()), values: Default::default() }
    }

    #[test]
    fn the_mask_names_the_registers() {
        let shown = |mask| asked(&policy(mask)).map(|pcrs| pcrs.to_string());
        assert_eq!(shown("0x400").as_deref(), Ok("10"));
        assert_eq!(shown("0x408400").as_deref(), Ok("10,15,22"));
        assert!(shown("0x1000000").is_err() && shown("everything").is_err());
        assert!(asks_for_ima(&policy("0x400")) && !asks_for_ima(&policy("0x1")));
    }

    #[test]
    fn an_agent_that_pushes_is_asked_for_what_is_judged_and_never_for_nothing() {
        let valued = TpmPolicy { mask: None, values: [("7".to_owned(), vec!["00".to_owned()])].into() };
        assert_eq!(required(&valued, true, false).unwrap().to_string(), "7,10");
        assert_eq!(required(&policy("0x0"), false, false).unwrap().to_string(), "0");
    }

    #[test]
    fn a_signature_is_named_by_its_first_two_bytes() {
        assert_eq!(scheme(&[0, 0x14, 0, 0xB]), "rsassa");
        assert_eq!(scheme(&[0, 0x18]), "ecdsa");
        assert_eq!(scheme(&[]), "unknown");
    }
}
