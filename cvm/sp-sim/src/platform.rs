// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of a simulated platform: what a chip is born with, and what its host has installed.

use alloc::string::String;

use evtpm_snp::{FirmwareVersion, PlatformInfo, ReportVersion, Tcb};

use crate::error::Error;
use crate::product::Product;
use crate::time::UnixTime;

/// A chip, its firmware and its host's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The processor line.
    pub product: Product,
    /// The version of its reports.
    pub report_version: ReportVersion,
    /// What makes this chip another than the next: its id and its endorsement keys derive from it.
    pub chip_seed: [u8; 32],
    /// The TCB that runs.
    pub current_tcb: Tcb,
    /// The TCB below which the platform cannot go.
    pub committed_tcb: Tcb,
    /// The TCB from which endorsement keys derive; hosts may lag behind with it.
    pub reported_tcb: Tcb,
    /// The firmware that runs.
    pub current_firmware: FirmwareVersion,
    /// The firmware below which the platform cannot go.
    pub committed_firmware: FirmwareVersion,
    /// What is enabled.
    pub platform_info: PlatformInfo,
    /// The mitigations that are in place, for reports of version 5.
    pub mitigations: u64,
    /// The host hides the chip's id.
    pub mask_chip_id: bool,
    /// The host forbids the use of the chip's key.
    pub mask_chip_key: bool,
    /// The provider whose VLEK the host has installed.
    pub vlek: Option<String>,
    /// When the endorsement keys' certificates were issued.
    pub issued: UnixTime,
}

impl Platform {
    /// 2026-01-01, when the endorsement keys' certificates were issued unless the caller says otherwise.
    pub const DEFAULT_ISSUED: UnixTime = UnixTime(1_767_225_600);

    /// Returns a well kept platform: everything current, nothing masked, no VLEK, the latest report version of the product.
    #[must_use]
    pub fn new(product: Product, chip_seed: [u8; 32]) -> Self {
        let tcb = product.recent_tcb();
        let firmware = product.recent_firmware();
        let report_version = match product {
            Product::Milan => ReportVersion::V3,
            Product::Genoa | Product::Turin => ReportVersion::V5,
        };
        let info = PlatformInfo::SMT | PlatformInfo::ECC | PlatformInfo::ALIAS_CHECK_COMPLETE;
        Self {
            product,
            report_version,
            chip_seed,
            current_tcb: tcb,
            committed_tcb: tcb,
            reported_tcb: tcb,
            current_firmware: firmware,
            committed_firmware: firmware,
            platform_info: PlatformInfo(info),
            mitigations: if report_version == ReportVersion::V5 { 1 } else { 0 },
            mask_chip_id: false,
            mask_chip_key: false,
            vlek: None,
            issued: Self::DEFAULT_ISSUED,
        }
    }

    /// Returns the platform with reports of another version.
    #[must_use]
    pub fn with_report_version(self, report_version: ReportVersion) -> Self {
        Self { report_version, ..self }
    }

    /// Returns the platform with a provider's VLEK, and with its chip id hidden, as providers that use VLEKs do.
    #[must_use]
    pub fn with_vlek(self, csp_id: impl Into<String>) -> Self {
        Self { vlek: Some(csp_id.into()), mask_chip_id: true, ..self }
    }

    /// Returns the platform with certificates issued at another time.
    #[must_use]
    pub fn with_issued(self, issued: UnixTime) -> Self {
        Self { issued, ..self }
    }

    /// Returns the platform with the same TCB as current, committed and reported one.
    #[must_use]
    pub fn with_tcb(self, tcb: Tcb) -> Self {
        Self { current_tcb: tcb, committed_tcb: tcb, reported_tcb: tcb, ..self }
    }

    /// Refuses what no real platform can be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let generation = self.product.generation();
        if !self.product.report_versions().contains(&self.report_version) {
            return Err(Error::ReportVersion { generation, version: self.report_version });
        }
        for tcb in [self.current_tcb, self.committed_tcb, self.reported_tcb] {
            if tcb.fmc.is_some() != generation.has_fmc() {
                return Err(Error::TcbLayout { generation, tcb });
            }
            if !self.current_tcb.is_at_least(tcb) {
                return Err(Error::TcbOrder { current: self.current_tcb, tcb });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_that_cannot_exist_are_refused() {
        let turin = Platform::new(Product::Turin, [0; 32]);
        assert_eq!(turin.check(), Ok(()));
        let old = turin.clone().with_report_version(ReportVersion::V2);
        assert!(matches!(old.check(), Err(Error::ReportVersion { .. })));
        assert!(matches!(turin.clone().with_tcb(Product::Milan.recent_tcb()).check(), Err(Error::TcbLayout { .. })));
        let committed_tcb = Tcb { snp: 200, ..turin.current_tcb };
        assert!(matches!(Platform { committed_tcb, ..turin }.check(), Err(Error::TcbOrder { .. })));
    }

    #[test]
    fn a_reported_tcb_below_the_committed_one_exists() {
        let milan = Platform::new(Product::Milan, [0; 32]);
        let reported_tcb = Tcb { microcode: 217, ..milan.current_tcb };
        assert_eq!(Platform { reported_tcb, ..milan }.check(), Ok(()));
    }
}
