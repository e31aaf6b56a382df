// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy learn`: a policy from a good machine's evidence.

use anyhow::{Context, Result};
use clap::Args;
use evtpm_appraise::Policy;
use evtpm_verify::logs::Keyring;

use crate::verify::args::{EvidenceArgs, HexBytes};
use crate::verify::chain::{self, State};

#[derive(Debug, Args)]
pub(crate) struct Learn {
    #[command(flatten)]
    evidence: EvidenceArgs,
    /// The launch measurement to demand instead of the report's: the one that `evtpm measure` predicts.
    #[arg(long, value_name = "HEX")]
    measurement: Option<HexBytes>,
    /// Learn from a machine whose hardware only you vouch for: the policy asks for no report, and every result says so.
    #[arg(long, conflicts_with = "measurement")]
    without_hardware: bool,
    /// A name for people.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

impl Learn {
    pub(super) fn run(&self) -> Result<()> {
        let verification = chain::verify(self.evidence.read()?, &Keyring::new());
        if let Some(refused) = verification.steps.iter().find(|step| step.state == State::Refused) {
            anyhow::bail!("{} refused: {}", refused.what, crate::output::printable(&refused.detail));
        }
        let mut policy = if self.without_hardware {
            Policy::learn_without_hardware(&verification.claims)?
        } else {
            Policy::learn(&verification.claims).context("(--without-hardware learns from a TPM alone)")?
        };
        if let Some(measurement) = &self.measurement {
            let launch =
                policy.snp.as_mut().context("--measurement is of an SEV-SNP launch, and no report was given")?;
            launch.measurements = vec![measurement.exactly("--measurement")?];
        }
        self.name.clone().unwrap_or_default().clone_into(&mut policy.name);
        let remarks: Vec<String> = verification.not_checked.iter().map(|gap| format!("not checked: {gap}")).collect();
        super::write(&policy, &remarks)
    }
}
