// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware's patch levels against the product line's floor, component by component (rule 7).

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{ProductName, SnpPolicy, TcbField, TcbFloor},
    vector::{TrustClaim, TrustVector},
};

/// A patch level is below the floor, or there is no floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tcb {
    /// A component is below its floor.
    Below {
        /// Which of the report's TCBs, unless it is the reported one.
        field: Option<TcbField>,
        /// The component.
        component: &'static str,
        /// The floor.
        floor: u8,
        /// The reported level.
        actual: u8,
    },
    /// The policy has floors, but none for this product line.
    NoFloorForProduct {
        /// The product line.
        product: ProductName,
    },
    /// The policy has no floor at all.
    NoFloors,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Vec<Finding> {
    let product = ProductName::from(claims.generation);
    match policy.tcb.get(&product) {
        Some(floor) => {
            judged(policy, claims).flat_map(|(field, tcb)| below(*floor, field, tcb)).map(Finding::from).collect()
        }
        None if policy.tcb.is_empty() => vec![Tcb::NoFloors.into()],
        None => vec![Tcb::NoFloorForProduct { product }.into()],
    }
}

/// Lists the TCBs that the floors hold for.
fn judged(policy: &SnpPolicy, claims: &SnpClaims) -> impl Iterator<Item = (Option<TcbField>, TcbFloor)> {
    let others = policy.tcb_fields.iter().map(|field| {
        let tcb = match field {
            TcbField::Committed => claims.committed_tcb(),
            TcbField::Launch => claims.launch_tcb(),
            TcbField::Current => claims.current_tcb(),
        };
        (Some(*field), tcb.into())
    });
    std::iter::once((None, claims.reported_tcb().into())).chain(others)
}

/// Lists the components that are below their floors; an absent FMC counts as 0.
fn below(floor: TcbFloor, field: Option<TcbField>, actual: TcbFloor) -> impl Iterator<Item = Tcb> {
    [
        ("FMC", floor.fmc.unwrap_or(0), actual.fmc.unwrap_or(0)),
        ("boot loader", floor.bootloader, actual.bootloader),
        ("TEE", floor.tee, actual.tee),
        ("SNP firmware", floor.snp, actual.snp),
        ("microcode", floor.microcode, actual.microcode),
    ]
    .into_iter()
    .filter(|(_, floor, actual)| actual < floor)
    .map(move |(component, floor, actual)| Tcb::Below { field, component, floor, actual })
}

impl Objection for Tcb {
    const CODE: &'static str = "snp.tcb";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        match self {
            Self::Below { .. } => Severity::Failure,
            Self::NoFloorForProduct { .. } => Severity::Missing,
            Self::NoFloors => Severity::Notice,
        }
    }
    fn expected(&self) -> String {
        match self {
            Self::Below { component, floor, .. } => format!("{component} at least {floor}"),
            Self::NoFloorForProduct { product } => format!("a floor for {product}"),
            Self::NoFloors => "floors for the accepted products".into(),
        }
    }
    fn actual(&self) -> String {
        match self {
            Self::Below { component, actual, .. } => format!("{component} {actual}"),
            Self::NoFloorForProduct { .. } | Self::NoFloors => "none in the policy".into(),
        }
    }
    fn sentence(&self) -> String {
        match self {
            Self::Below { field, component, .. } => match field {
                None => format!("The platform's {component} is older than the policy allows."),
                Some(TcbField::Committed) => {
                    format!("The platform may go back to a {component} older than the policy allows.")
                }
                Some(TcbField::Launch) => {
                    format!("The guest was launched by a {component} older than the policy allows.")
                }
                Some(TcbField::Current) => format!("The {component} that runs is older than the policy allows."),
            },
            Self::NoFloorForProduct { product } => {
                format!("The policy does not say which {product} firmware is new enough.")
            }
            Self::NoFloors => "The policy accepts firmware of any age.".into(),
        }
    }
    fn suggestion(&self) -> String {
        match self {
            Self::Below { field: Some(TcbField::Launch), .. } => {
                "Launch the guest again on the updated platform.".into()
            }
            Self::Below { .. } => "Update the platform's firmware, and let it commit the new version.".into(),
            Self::NoFloorForProduct { product } => format!("Add [snp.tcb.{product}] to the policy."),
            Self::NoFloors => "Add [snp.tcb.<product>] with the levels of a machine that is up to date.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        match self {
            Self::Below { .. } => TrustVector { hardware: TrustClaim::UNSAFE, ..TrustVector::default() },
            Self::NoFloorForProduct { .. } | Self::NoFloors => TrustVector::default(),
        }
    }
}
