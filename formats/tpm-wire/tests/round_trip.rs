// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every structure, command and response: what is read marshals to the bytes it was read from.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    AuthHandle, Command, CommandHeader, DerivedTemplate, Marshal, Rc, Reader, Response, ResponseHeader, Supported,
    Tpm2bCreationData, Tpm2bEccPoint, Tpm2bNvPublic, Tpm2bPublicPlus, Tpm2bSensitive, Tpm2bSensitiveCreate, TpmlDigest,
    TpmlDigestValues, TpmlPcrSelection, TpmsAlgorithmDetailEcc, TpmsAttest, TpmsAuthCommand, TpmsAuthResponse,
    TpmsCapabilityData, TpmsContext, TpmsContextIn, TpmsCreationData, TpmsNvPinCounterParameters, TpmsTimeInfo,
    TpmtEccScheme, TpmtHa, TpmtKdfScheme, TpmtKeyedhashScheme, TpmtPublic, TpmtPublicParms, TpmtRsaDecrypt,
    TpmtRsaScheme, TpmtSensitive, TpmtSigScheme, TpmtSignature, TpmtSymDef, TpmtSymDefObject, TpmtTkAuth,
    TpmtTkVerified, Unmarshal, for_each_command, from_bytes,
};
use proptest::prelude::*;

mod support;
use support::{Numbers, attempt, attempt_response, bytes_of, generate, response_bytes};

fn returns<'a, T: Unmarshal<'a> + Marshal>(bytes: &'a [u8]) -> Result<(), TestCaseError> {
    let value: T = from_bytes(bytes, &Supported::ALL).map_err(|rc| TestCaseError::fail(rc.to_string()))?;
    prop_assert_eq!(bytes_of(&value), bytes, "{}", std::any::type_name::<T>());
    if let Some((_, shorter)) = bytes.split_last() {
        prop_assert!(from_bytes::<T>(shorter, &Supported::ALL).is_err());
    }
    Ok(())
}

fn response_returns<K: Command>(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (handle, parameters) = bytes.split_at(if K::SPEC.returns_handle { 4 } else { 0 });
    let mut reader = Reader::permissive(parameters);
    let response = K::Response::unmarshal(&mut Reader::permissive(handle), &mut reader)
        .map_err(|rc| TestCaseError::fail(rc.to_string()))?;
    prop_assert!(reader.is_empty());
    prop_assert_eq!(response_bytes(&response), bytes, "{}", K::SPEC.code);
    Ok(())
}

macro_rules! structures {
    ($($structure:ident)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn structures_marshal_to_what_they_were_read_from(seed in any::<u64>()) {
                let numbers = &mut Numbers::new(seed);
                $(
                    let bytes = generate(numbers, |bytes| attempt::<$structure>(bytes));
                    returns::<$structure>(&bytes)?;
                )*
            }
        }
    };
}

structures! {
    AuthHandle CommandHeader DerivedTemplate ResponseHeader Tpm2bCreationData Tpm2bEccPoint Tpm2bNvPublic Tpm2bPublicPlus
    Tpm2bSensitive Tpm2bSensitiveCreate TpmlDigest TpmlDigestValues TpmlPcrSelection TpmsAlgorithmDetailEcc TpmsAttest
    TpmsAuthCommand TpmsAuthResponse TpmsCapabilityData TpmsContext TpmsContextIn TpmsCreationData
    TpmsNvPinCounterParameters TpmsTimeInfo TpmtEccScheme TpmtHa TpmtKdfScheme TpmtKeyedhashScheme TpmtPublic
    TpmtPublicParms TpmtRsaDecrypt TpmtRsaScheme TpmtSensitive TpmtSigScheme TpmtSignature TpmtSymDef TpmtSymDefObject
    TpmtTkAuth TpmtTkVerified
}

macro_rules! commands {
    ($($command:ident)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn commands_marshal_to_what_they_were_read_from(seed in any::<u64>()) {
                let numbers = &mut Numbers::new(seed);
                $(
                    let bytes = generate(numbers, |bytes| attempt::<<$command as Command>::Handles>(bytes));
                    returns::<<$command as Command>::Handles>(&bytes)?;
                    let bytes = generate(numbers, |bytes| attempt::<$command>(bytes));
                    returns::<$command>(&bytes)?;
                    let bytes = generate(numbers, attempt_response::<$command>);
                    response_returns::<$command>(&bytes)?;
                )*
            }

            #[test]
            fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
                $(
                    let parameters = attempt::<$command>(&bytes);
                    let handles = attempt::<<$command as Command>::Handles>(&bytes);
                    let response = attempt_response::<$command>(&bytes);
                    prop_assert!([parameters, handles, response].iter().all(|attempt| attempt.is_within(bytes.len())));
                )*
            }
        }
    };
}

for_each_command!(commands);

#[test]
fn a_value_cut_short_is_insufficient_wherever_the_cut_is() {
    let bytes = generate(&mut Numbers::new(7), |bytes| attempt::<TpmtPublic>(bytes));
    for size in 0..bytes.len() {
        assert_eq!(from_bytes::<TpmtPublic>(&bytes[..size], &Supported::ALL), Err(Rc::INSUFFICIENT), "{size}");
    }
}
