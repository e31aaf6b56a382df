// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes of TDs and SGX enclaves.

use evtpm_appraise::Layer;
use evtpm_evidence::quote::Quote;
use evtpm_verify::dcap::{self, DcapClaims, TcbStatus, Tee};
use evtpm_verify::{UnixTime, Vendor, Verified};
use serde_json::{Value, json};

use super::args::Hardware;
use super::{Verification, at_text};
use crate::output::hex;
use crate::verify::facts::Fact;

/// Verifies the quote, and adds it unless a paravisor's claims will: then it answers no challenge, but vouches for a key.
pub(super) fn verify(
    verification: &mut Verification,
    hardware: &Hardware,
    at: UnixTime,
) -> Option<Verified<DcapClaims, Vendor>> {
    let (bytes, collateral) = hardware.dcap.as_ref()?;
    let verified = Quote::parse_prefix(bytes).map_err(evtpm_verify::Error::from).and_then(|(quote, rest)| {
        let verified = match collateral {
            Some(collateral) => dcap::verify_with_collateral(&quote, collateral, at),
            None => dcap::verify(&quote, &[], at),
        };
        verified.map(|verified| (verified, rest.len()))
    });
    let (quote, behind) = match verified {
        Ok(verified) => verified,
        Err(error) => {
            verification.refuse("quote of the TEE", layer_of(bytes), &error);
            return None;
        }
    };
    let (what, layer) = match &quote.tee {
        Tee::Tdx(_) => ("TD quote", Layer::Tdx),
        Tee::Sgx { .. } => ("enclave quote", Layer::Sgx),
    };
    let detail = format!(
        "version {}, platform {}, up to {}, {}; {behind} bytes behind it are not looked at",
        quote.version,
        hex(&quote.platform.fmspc),
        quote.root(),
        at_text(at)
    );
    let challenge =
        if hardware.hcl.is_some() { None } else { Some(verification.answer(hardware, layer, &quote.report_data)?) };
    verification.prove(what, detail, facts(&quote), |claims| match challenge {
        Some(challenge) => claims.with_dcap(&quote, challenge),
        None => claims,
    });
    verification.gap(
        quote.tcb == TcbStatus::Unchecked,
        "whether the Intel platform's firmware is up to date: its collateral was not given",
    );
    verification.gap(
        !quote.quoting_enclave_checked,
        "whether the quoting enclave is Intel's current one: only collateral that judges the platform says so",
    );
    verification.revocation_gap(quote.revocation, "the Intel platform's certificate");
    Some(quote)
}

/// A refused quote is held against the layer that its header claims.
fn layer_of(bytes: &[u8]) -> Layer {
    if bytes.get(4..8) == Some(&[0x81, 0, 0, 0]) { Layer::Tdx } else { Layer::Sgx }
}

fn facts(quote: &DcapClaims) -> Vec<Fact> {
    let mut facts = match &quote.tee {
        Tee::Tdx(td) => vec![
            Fact::new("mrtd", hex(&td.mr_td)),
            Fact::new("rtmrs", td.rtmrs.iter().map(|value| json!(hex(value))).collect::<Vec<Value>>()),
            Fact::new("mrseam", hex(&td.mr_seam)),
            Fact::new("mrconfigid", hex(&td.mr_config_id)),
            Fact::new("mrowner", hex(&td.mr_owner)),
            Fact::new("td_attributes", hex(&td.attributes)),
            Fact::new("xfam", hex(&td.xfam)),
            Fact::new("tee_tcb_svn", hex(&td.tcb_svn)),
        ],
        Tee::Sgx { mr_enclave, mr_signer, product_id, security_version } => vec![
            Fact::new("mrenclave", hex(mr_enclave)),
            Fact::new("mrsigner", hex(mr_signer)),
            Fact::new("isv_prod_id", *product_id),
            Fact::new("isv_svn", *security_version),
        ],
    };
    facts.extend([
        Fact::new("tee_report_data", hex(&quote.report_data)),
        Fact::new("tee_debug", quote.debug),
        Fact::new("fmspc", hex(&quote.platform.fmspc)),
    ]);
    match &quote.tcb {
        TcbStatus::Unchecked => facts.push(Fact::new("intel_tcb", "unchecked")),
        TcbStatus::BelowEveryLevel => facts.push(Fact::new("intel_tcb", "below every level that Intel lists")),
        TcbStatus::Judged { status, advisories } => facts.extend([
            Fact::new("intel_tcb", status.as_str()),
            Fact::new("advisories", advisories.iter().map(|advisory| json!(advisory)).collect::<Vec<Value>>()),
        ]),
    }
    facts
}
