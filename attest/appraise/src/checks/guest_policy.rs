// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bits of the guest policy that open the guest to others (rule 7; AMD 56860, "Guest Policy").

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::SnpPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The guest policy allows what the policy does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestPolicyBit {
    /// The host may debug the guest: it can read and write all of its memory.
    Debug {
        /// The guest policy.
        policy: u64,
    },
    /// A migration agent may take the guest elsewhere.
    MigrationAgent {
        /// The guest policy.
        policy: u64,
    },
    /// A reserved bit does not have the value that firmware insists on.
    Reserved {
        /// The guest policy.
        policy: u64,
    },
}

pub(super) fn check(rules: &SnpPolicy, claims: &SnpClaims) -> impl Iterator<Item = Finding> {
    let guest = claims.report.policy();
    let policy = guest.0;
    [
        (guest.debug() && !rules.allow_debug).then_some(GuestPolicyBit::Debug { policy }),
        (guest.migrate_ma() && !rules.allow_migration).then_some(GuestPolicyBit::MigrationAgent { policy }),
        (!guest.is_well_formed()).then_some(GuestPolicyBit::Reserved { policy }),
    ]
    .into_iter()
    .flatten()
    .map(Finding::from)
}

impl Objection for GuestPolicyBit {
    const CODE: &'static str = "snp.guest-policy";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        match self {
            Self::Debug { .. } | Self::MigrationAgent { .. } => Severity::Failure,
            // Newer firmware gives meaning to bits that this document did not know.
            Self::Reserved { .. } => Severity::Warning,
        }
    }
    fn expected(&self) -> String {
        match self {
            Self::Debug { .. } => "DEBUG (bit 19) clear".into(),
            Self::MigrationAgent { .. } => "MIGRATE_MA (bit 18) clear".into(),
            Self::Reserved { .. } => "reserved bits as specified".into(),
        }
    }
    fn actual(&self) -> String {
        let (Self::Debug { policy } | Self::MigrationAgent { policy } | Self::Reserved { policy }) = self;
        format!("guest policy {policy:#x}")
    }
    fn sentence(&self) -> String {
        match self {
            Self::Debug { .. } => "The host may debug the guest and read all of its memory.".into(),
            Self::MigrationAgent { .. } => "A migration agent may move the guest to another machine.".into(),
            Self::Reserved { .. } => "The guest policy has reserved bits that are not understood.".into(),
        }
    }
    fn suggestion(&self) -> String {
        match self {
            Self::Debug { .. } => "Launch without the debug bit; for a test, set allow_debug in [snp].".into(),
            Self::MigrationAgent { .. } => {
                "Launch without a migration agent, or set allow_migration in [snp] after vetting the agent.".into()
            }
            Self::Reserved { .. } => "Look the bits up in the current firmware specification.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        let configuration = TrustClaim::CONTRAINDICATED;
        match self {
            Self::Debug { .. } => {
                TrustVector { configuration, runtime_opaque: TrustClaim::VISIBLE, ..TrustVector::default() }
            }
            Self::MigrationAgent { .. } => TrustVector { configuration, ..TrustVector::default() },
            Self::Reserved { .. } => TrustVector { configuration: TrustClaim::UNSAFE, ..TrustVector::default() },
        }
    }
}
