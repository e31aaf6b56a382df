// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The parts of a Hygon CSV guest's evidence, whatever form it came in.

use anyhow::{Context, Result};
use evtpm_evidence::csv::{AuthorityCertificate, Evidence, Report, Version};

/// A report with as much of its chain as there is.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) version: Version,
    pub(crate) page: Vec<u8>,
    pub(crate) signing: Option<Vec<u8>>,
    pub(crate) chip: Option<Vec<u8>>,
    pub(crate) platform: Vec<u8>,
}

impl Parts {
    /// Reads the agent's JSON, or a report as the firmware gives it, with its own copy of the platform's certificate.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.trim_ascii_start().starts_with(b"{") {
            return Ok(Evidence::parse(bytes)?.into());
        }
        let report = Report::recognize(bytes).context("a report of no known version")?;
        let (version, platform) = (report.version, report.platform_certificate());
        Ok(Self { version, page: bytes.to_vec(), signing: None, chip: None, platform })
    }

    /// Adds the certificates of Hygon's signing key and of the chip's, as Hygon gives them in one file.
    pub(crate) fn with_certificates(self, pair: &[u8]) -> Result<Self> {
        let (signing, chip) =
            pair.split_at_checked(AuthorityCertificate::SIZE).context("expected the certificates HSK and CEK")?;
        Ok(Self { signing: Some(signing.to_vec()), chip: Some(chip.to_vec()), ..self })
    }
}

impl From<Evidence> for Parts {
    fn from(Evidence { version, page, signing, chip, platform, .. }: Evidence) -> Self {
        Self { version, page, signing, chip, platform }
    }
}
