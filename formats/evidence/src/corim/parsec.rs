// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The profile of Parsec's keys in a TPM (as Veraison's scheme `parsec-tpm` reads it): registers by their numbers, and one key of
//! each instance.

use super::{Comid, Corim, MeasurementKey, Tagged};
use crate::Error;

const PROFILE: &str = "tag:github.com/parallaxsecond,2023-03-03:tpm";

/// Checks the rules of the profile, if a CoRIM names it.
pub(super) fn check(corim: &Corim<'_>) -> Result<(), Error> {
    match corim.profile {
        Some(PROFILE) => corim.comids.iter().try_for_each(check_comid),
        _ => Ok(()),
    }
}

fn check_comid(comid: &Comid<'_>) -> Result<(), Error> {
    for triple in &comid.references {
        check_class(triple.class)?;
        if triple.instance.is_some() {
            return Err(malformed("reference values of an instance"));
        }
        for register in &triple.values {
            if !matches!(register.key, Some(MeasurementKey::Number(0..))) {
                return Err(malformed("measurement key is no number of a register"));
            }
            if register.digests.is_empty() {
                return Err(Error::Missing { what: "digests of a register" });
            }
        }
    }
    for triple in &comid.attest_keys {
        check_class(triple.class)?;
        if !matches!(triple.instance, Some(Tagged::Bytes(_))) {
            return Err(malformed("instance identifier is no bytes"));
        }
        if !matches!(triple.values.as_slice(), [Tagged::PkixKey(_)]) {
            return Err(malformed("not exactly one public key"));
        }
    }
    Ok(())
}

fn check_class(class: Option<Tagged<'_>>) -> Result<(), Error> {
    match class {
        Some(Tagged::Uuid(_)) => Ok(()),
        _ => Err(Error::Missing { what: "UUID of the class" }),
    }
}

fn malformed(detail: &'static str) -> Error {
    Error::Malformed { what: "CoRIM of Parsec", detail: alloc::string::String::from(detail) }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::{Comid, Triple};
    use super::*;

    fn of(keys: Triple<'static, Tagged<'static>>) -> Result<(), Error> {
        let comid = Comid { references: Vec::new(), attest_keys: [keys].into() };
        check(&Corim { envelope: None, profile: Some(PROFILE), profile_oid: None, comids: [comid].into() })
    }

    #[test]
    fn an_instance_of_a_class_has_one_key() {
        let triple = |class, instance, values: &[Tagged<'static>]| Triple {
            class,
            vendor: None,
            model: None,
            instance,
            values: values.to_vec(),
            says_more: false,
        };
        let (uuid, bytes, key) = (Some(Tagged::Uuid(&[0; 16])), Some(Tagged::Bytes(b"i")), Tagged::PkixKey("k"));
        assert_eq!(of(triple(uuid, bytes, &[key])), Ok(()));
        for bad in [
            triple(None, bytes, &[key]),
            triple(Some(Tagged::Oid(b"o")), bytes, &[key]),
            triple(uuid, None, &[key]),
            triple(uuid, Some(Tagged::Ueid(b"u")), &[key]),
            triple(uuid, bytes, &[]),
            triple(uuid, bytes, &[key, key]),
        ] {
            assert!(of(bad).is_err());
        }
    }
}
