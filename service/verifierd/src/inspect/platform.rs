// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The platform below a machine, and how it compares with the floor of the machine's policy.

use evtpm_api::{PlatformSummary, TcbComponent};
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{ProductName, TcbFloor};
use evtpm_describe::tcb_components;
use evtpm_verify::snp::SnpClaims;

/// Reads what a verified report says.
pub(crate) fn platform(claims: &SnpClaims) -> PlatformSummary {
    let component = |(name, level): (&str, u8)| TcbComponent { name: name.to_owned(), level, floor: None };
    PlatformSummary {
        product: ProductName::from(claims.generation).to_string(),
        tcb: tcb_components(claims.reported_tcb()).into_iter().map(component).collect(),
    }
}

/// Puts the policy's floors beside the levels.
pub(crate) fn with_floors(mut platform: PlatformSummary, policy: &Policy) -> PlatformSummary {
    let floors = policy.snp.as_ref().zip(ProductName::from_name(&platform.product));
    if let Some(floor) = floors.and_then(|(snp, product)| snp.tcb.get(&product)) {
        platform.tcb.iter_mut().for_each(|component| component.floor = floor_of(*floor, &component.name));
    }
    platform
}

fn floor_of(floor: TcbFloor, component: &str) -> Option<u8> {
    match component {
        "fmc" => floor.fmc,
        "bootloader" => Some(floor.bootloader),
        "tee" => Some(floor.tee),
        "snp" => Some(floor.snp),
        "microcode" => Some(floor.microcode),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_that_of_the_product_line() {
        let policy = Policy::from_toml(&format!(
            "version = 1\n[snp]\nproducts = [\"Milan\"]\nmeasurements = [\"{}\"]\n[snp.tcb.Milan]\nsnp = 8\nmicrocode = 115\n",
            "3e".repeat(48)
        ))
        .unwrap();
        let of = |product: &str| {
            let tcb = vec![TcbComponent { name: "snp".into(), level: 7, floor: None }];
            with_floors(PlatformSummary { product: product.into(), tcb }, &policy).tcb[0].floor
        };
        assert_eq!((of("Milan"), of("Genoa"), of("another")), (Some(8), None, None));
    }
}
