// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel's collateral in one file of JSON, as `dcap-qvl` stores it: lists and signatures in hexadecimal.

use anyhow::{Context, Result};
use evtpm_verify::dcap::{Collateral, SignedDocument};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Stored {
    pck_crl_issuer_chain: String,
    root_ca_crl: String,
    pck_crl: String,
    tcb_info_issuer_chain: String,
    tcb_info: String,
    tcb_info_signature: String,
    qe_identity_issuer_chain: String,
    qe_identity: String,
    qe_identity_signature: String,
}

/// Reads the file; nothing of it is believed yet.
pub(crate) fn parse(bytes: &[u8]) -> Result<Collateral> {
    let stored: Stored = serde_json::from_slice(bytes).context("no collateral as dcap-qvl stores it")?;
    let document = |text, signature: &str, issuer_chain| -> Result<SignedDocument> {
        Ok(SignedDocument { text, signature: hex::decode(signature)?, issuer_chain })
    };
    Ok(Collateral {
        tcb_info: document(stored.tcb_info, &stored.tcb_info_signature, stored.tcb_info_issuer_chain)?,
        qe_identity: document(stored.qe_identity, &stored.qe_identity_signature, stored.qe_identity_issuer_chain)?,
        root_crl: hex::decode(&stored.root_ca_crl)?,
        pck_crl: hex::decode(&stored.pck_crl)?,
        pck_crl_issuer_chain: stored.pck_crl_issuer_chain,
    })
}
