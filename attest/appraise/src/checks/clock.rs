// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TPM's clock, whose safe flag is reported (rule 5).

use crate::{
    claims::QuoteClaims,
    finding::{Finding, Layer, Objection, Severity},
    vector::TrustVector,
};

/// The TPM does not call its clock safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsafeClock {
    milliseconds: u64,
}

pub(super) fn check(quote: &QuoteClaims) -> Option<Finding> {
    (!quote.clock.safe).then(|| UnsafeClock { milliseconds: quote.clock.milliseconds }.into())
}

impl Objection for UnsafeClock {
    const CODE: &'static str = "tpm.clock";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        Severity::Notice
    }
    fn expected(&self) -> String {
        "a safe clock".into()
    }
    fn actual(&self) -> String {
        format!("{} ms, not safe", self.milliseconds)
    }
    fn sentence(&self) -> String {
        "A later time of this TPM may have been reported before: it lost power without a shutdown.".into()
    }
    fn suggestion(&self) -> String {
        "Do not rely on the clock for the order of quotes.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
