// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The profiles of Arm CCA (draft-ydb-rats-cca-endorsements) and of PSA (draft-fdb-rats-psa-endorsements): what the triples of a
//! platform and of a realm have to say.

use super::{Comid, Corim, Measurement, MeasurementKey, Tagged, Triple};
use crate::Error;

const PLATFORM: &str = "tag:arm.com,2025:cca_platform#1.0.0";
const REALM: &str = "tag:arm.com,2025:cca_realm#1.0.0";

const PSA: &str = "tag:arm.com,2025:psa#1.0.0";

/// What one measurement of a platform has to say.
type Component = fn(&Measurement<'_>) -> Result<(), Error>;

/// Checks the rules of the profile that a CoRIM names; other profiles have no rules here.
pub(super) fn check(corim: &Corim<'_>) -> Result<(), Error> {
    match corim.profile {
        Some(PLATFORM) => corim.comids.iter().try_for_each(|comid| check_platform(comid, check_component)),
        Some(PSA) => corim.comids.iter().try_for_each(|comid| check_platform(comid, check_psa_component)),
        Some(REALM) => corim.comids.iter().try_for_each(check_realm),
        _ => Ok(()),
    }
}

fn check_platform(comid: &Comid<'_>, component: Component) -> Result<(), Error> {
    for triple in &comid.references {
        check_implementation(triple)?;
        if triple.instance.is_some() {
            return Err(malformed("reference values of a platform's instance"));
        }
        triple.values.iter().try_for_each(component)?;
    }
    for triple in &comid.attest_keys {
        check_implementation(triple)?;
        match triple.instance {
            Some(Tagged::Ueid(id)) if id.len() == 33 => {}
            _ => return Err(malformed("instance identifier is no UEID of 33 bytes")),
        }
        if !matches!(triple.values.as_slice(), [Tagged::PkixKey(_)]) {
            return Err(malformed("not exactly one public key"));
        }
    }
    Ok(())
}

/// The implementation identifier is the class: 32 bytes.
fn check_implementation<T>(triple: &Triple<'_, T>) -> Result<(), Error> {
    match triple.class {
        Some(Tagged::Bytes(id)) if id.len() == 32 => Ok(()),
        Some(Tagged::Bytes(id)) => {
            Err(Error::Length { what: "implementation identifier", expected: 32, actual: id.len() })
        }
        _ => Err(Error::Missing { what: "implementation identifier" }),
    }
}

fn check_component(measurement: &Measurement<'_>) -> Result<(), Error> {
    match measurement.key {
        Some(MeasurementKey::Text("cca.software-component")) => check_software(measurement),
        Some(MeasurementKey::Text("cca.platform-config")) if measurement.raw_value.is_some() => Ok(()),
        Some(MeasurementKey::Text("cca.platform-config")) => Err(Error::Missing { what: "platform configuration" }),
        _ => Err(malformed("measurement key is none of the profile")),
    }
}

fn check_psa_component(measurement: &Measurement<'_>) -> Result<(), Error> {
    match measurement.key {
        Some(MeasurementKey::Text("psa.software-component")) => check_software(measurement),
        _ => Err(malformed("measurement key is none of the profile")),
    }
}

fn check_software(component: &Measurement<'_>) -> Result<(), Error> {
    if component.digests.is_empty() {
        return Err(Error::Missing { what: "digests of a software component" });
    }
    if !component.crypto_keys.iter().all(|key| matches!(key, Tagged::Bytes(_))) {
        return Err(malformed("signer identifier is no digest"));
    }
    Ok(())
}

fn check_realm(comid: &Comid<'_>) -> Result<(), Error> {
    for triple in &comid.references {
        let Some(Tagged::Bytes(_)) = triple.class else {
            return Err(Error::Missing { what: "class of the realm" });
        };
        let mut initial = 0_u8;
        for measurement in &triple.values {
            match measurement.key {
                Some(MeasurementKey::Text("cca.rpv")) => match measurement.raw_value {
                    Some(value) if value.len() == 64 => {}
                    Some(value) => {
                        return Err(Error::Length { what: "personalisation value", expected: 64, actual: value.len() });
                    }
                    None => return Err(Error::Missing { what: "personalisation value" }),
                },
                Some(MeasurementKey::Text(
                    register @ ("cca.rim" | "cca.rem0" | "cca.rem1" | "cca.rem2" | "cca.rem3"),
                )) => {
                    if measurement.digests.is_empty() {
                        return Err(Error::Missing { what: "digests of a realm's register" });
                    }
                    initial = initial.saturating_add(u8::from(register == "cca.rim"));
                }
                _ => return Err(malformed("measurement key is none of the profile")),
            }
        }
        if initial != 1 {
            return Err(Error::Missing { what: "initial measurement" });
        }
    }
    Ok(())
}

fn malformed(detail: &'static str) -> Error {
    Error::Malformed { what: "CoRIM of Arm CCA or PSA", detail: alloc::string::String::from(detail) }
}
