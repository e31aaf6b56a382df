// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Banks that have to be quoted.

use crate::{
    claims::QuoteClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::{Bank, TpmPolicy},
    vector::TrustVector,
};

/// A bank is not in the quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankNotQuoted {
    expected: Bank,
    quoted: Vec<Bank>,
}

pub(super) fn check(policy: &TpmPolicy, quote: &QuoteClaims) -> impl Iterator<Item = Finding> {
    let quoted: Vec<Bank> = quote.banks.iter().map(|quoted| Bank(quoted.bank)).collect();
    let missing = policy.banks.iter().filter(|bank| !quoted.contains(bank)).copied().collect::<Vec<_>>();
    missing.into_iter().map(move |expected| BankNotQuoted { expected, quoted: quoted.clone() }.into())
}

impl Objection for BankNotQuoted {
    const CODE: &'static str = "tpm.bank";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        Severity::Missing
    }
    fn expected(&self) -> String {
        self.expected.to_string()
    }
    fn actual(&self) -> String {
        super::show_list(&self.quoted)
    }
    fn sentence(&self) -> String {
        format!("The {} bank is not quoted.", self.expected)
    }
    fn suggestion(&self) -> String {
        "Ask the attester for this bank, or enable it in the TPM.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
