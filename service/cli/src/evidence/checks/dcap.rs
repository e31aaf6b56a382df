// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `dcap`: quotes of SGX enclaves and TDs, with and without Intel's collateral.

mod documents;

use anyhow::{Context, Result};
use evtpm_evidence::quote::{Body, Quote};
use evtpm_logs::EventLog;
use evtpm_verify::dcap::{self, DcapClaims, PckFacts, TcbStatus};
use evtpm_verify::logs::RuntimeRegisters;
use evtpm_verify::{UnixTime, Vendor, Verified};
use serde::Deserialize;

use super::{DAY, ccel, date};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};
use crate::output::hex;
pub(super) use documents::check_answers;

#[derive(Debug, Deserialize)]
struct Expect {
    tee: Option<String>,
    quote_version: Option<u16>,
    length: Option<usize>,
    trailing_bytes: Option<usize>,
    body_signature: Option<String>,
    qe_report_binds_ak: Option<bool>,
    cert_data_type: Option<u16>,
    debug: Option<bool>,
    qe_report_signature: Option<String>,
    pck_chain_to_intel_root: Option<bool>,
    pck_ca: Option<String>,
    pck_validity: Option<(String, String)>,
    fmspc: Option<String>,
    td_attributes: Option<String>,
    xfam: Option<String>,
    tee_tcb_svn: Option<String>,
    mrtd: Option<String>,
    rtmrs: Option<Vec<String>>,
    mrenclave: Option<String>,
    mrsigner: Option<String>,
    report_data: Option<String>,
    collateral: Option<documents::ExpectedCollateral>,
    #[serde(rename = "notes")]
    notes: Option<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let bytes = store.stem("quote")?;
    let Some((quote, rest)) = findings.read("quote", verdict(&expect.body_signature), Quote::parse_prefix(bytes))
    else {
        return Ok(());
    };
    findings.equal_if("length", expect.length.as_ref(), &bytes.len());
    findings.equal_if("trailing bytes", expect.trailing_bytes.as_ref(), &rest.len());
    compare(&quote, &expect, findings);
    findings.verdict("signature of the body", verdict(&expect.body_signature), dcap::check_body(&quote));
    let binding = dcap::check_binding(&quote).is_ok();
    findings.equal_if("binding of the key", expect.qe_report_binds_ak.as_ref(), &binding);

    let verified = verify(&quote, &expect, findings)?;
    if let (Some(verified), Some(log)) = (&verified, store.find("ccel.bin")) {
        check_log(verified, log, is_of_another_boot(item, expect.notes.as_deref()), findings);
    }
    if let Body::Td(td) = &quote.body {
        for (name, json) in ccel::runtime_logs(store) {
            let log = ccel::RuntimeLog::read(json).with_context(|| name.to_owned())?;
            log.compare(name, &ccel::Registers::quoted(&td.rtmrs()), findings)?;
        }
    }
    if let Some(nonce) = store.find("nonce.bin") {
        findings.holds("report data is the nonce", quote.report_data() == nonce);
    }
    documents::check_collateral(&quote, expect.collateral.as_ref(), expect.notes.as_deref(), store, findings)?;
    check_answers(store, findings)
}

/// What the index says of a signature, which it leaves out where it is valid.
fn verdict(expected: &Option<String>) -> &str {
    expected.as_deref().unwrap_or("valid")
}

fn compare(quote: &Quote<'_>, expect: &Expect, findings: &mut Findings) {
    findings.equal_if("version", expect.quote_version.as_ref(), &quote.version);
    findings.equal_if("debug", expect.debug.as_ref(), &quote.is_debug());
    findings.equal_if("report data", expect.report_data.as_ref(), &hex(&quote.report_data()));
    findings.equal_if("certification data", expect.cert_data_type.as_ref(), &quote.certification.kind);
    match &quote.body {
        Body::Enclave(enclave) => {
            findings.equal_if("tee", expect.tee.as_ref(), &"SGX".to_owned());
            findings.equal_if("mrenclave", expect.mrenclave.as_ref(), &hex(&enclave.mr_enclave()));
            findings.equal_if("mrsigner", expect.mrsigner.as_ref(), &hex(&enclave.mr_signer()));
        }
        Body::Td(td) => {
            findings.equal_if("tee", expect.tee.as_ref(), &"TDX".to_owned());
            findings.equal_if("attributes", expect.td_attributes.as_ref(), &hex(&td.attributes()));
            findings.equal_if("xfam", expect.xfam.as_ref(), &hex(&td.xfam()));
            findings.equal_if("tcb svn", expect.tee_tcb_svn.as_ref(), &hex(&td.tcb_svn()));
            findings.equal_if("mrtd", expect.mrtd.as_ref(), &hex(&td.mr_td()));
            findings.equal_if("rtmrs", expect.rtmrs.as_ref(), &td.rtmrs().iter().map(|rtmr| hex(rtmr)).collect());
        }
    }
}

/// Verifies the quote a day after its platform's certificate begins to be valid.
fn verify(quote: &Quote<'_>, expect: &Expect, findings: &mut Findings) -> Result<Option<Verified<DcapClaims, Vendor>>> {
    let chain = match dcap::pck_chain(quote) {
        Ok(chain) => chain,
        Err(error) => {
            // A quote that only a service could certify must not be called verified.
            findings.holds("no chain is expected", expect.qe_report_signature.is_none() && expect.fmspc.is_none());
            findings.refused("quote without chain", dcap::verify(quote, &[], UnixTime(0)).map_err(|_| error));
            return Ok(None);
        }
    };
    let begin = chain.iter().map(|certificate| certificate.validity().0).max().unwrap_or(UnixTime(0));
    let verified = dcap::verify(quote, &[], UnixTime(begin.0 + DAY));
    let good = expect.pck_chain_to_intel_root.unwrap_or(true) && verdict(&expect.body_signature) == "valid";
    let expected = if good { verdict(&expect.qe_report_signature) } else { "INVALID" };
    let verified = findings.verdict("signatures up to Intel's root", expected, verified);
    if let Some(leaf) = chain.first() {
        let facts = PckFacts::read(leaf)?;
        findings.equal_if("fmspc", expect.fmspc.as_ref(), &hex(&facts.fmspc));
        findings.equal_if("pck authority", expect.pck_ca.as_ref(), &facts.authority);
        let (from, until) = facts.validity;
        findings.equal_if("pck validity", expect.pck_validity.as_ref(), &(date(from), date(until)));
    }
    if let Some(verified) = &verified {
        findings.holds("without collateral the tcb is unchecked", verified.tcb == TcbStatus::Unchecked);
    }
    Ok(verified)
}

/// Tells whether the index says that the log beside the quote does not belong to it.
fn is_of_another_boot(item: &Item, notes: Option<&str>) -> bool {
    let notes = notes.unwrap_or_default().to_ascii_lowercase();
    is_bad(&item.id)
        || ["another boot", "other boot", "different boot", "not match", "does not lead"]
            .iter()
            .any(|word| notes.contains(word))
}

/// The log beside a quote leads to the quoted registers, or, if it is of another boot, must not.
fn check_log(verified: &Verified<DcapClaims, Vendor>, log: &[u8], is_foreign: bool, findings: &mut Findings) {
    let dcap::Tee::Tdx(td) = &verified.tee else { return };
    let replayed =
        EventLog::parse(log).map_err(anyhow::Error::from).and_then(|log| Ok(RuntimeRegisters::replay(&log)?));
    let Some(replayed) = findings.accepted("event log", replayed) else { return };
    let verdict = replayed.check(&td.rtmrs);
    if is_foreign {
        findings.refused("event log of another boot", verdict);
    } else {
        findings.accepted("event log leads to the registers", verdict);
    }
}
