// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attestation document of an AWS Nitro enclave (AWS, *Nitro Enclaves attestation process*, "Attestation document specification").

use alloc::vec::Vec;

use crate::Error;
use crate::cbor::{self, Key, Map};
use crate::cose::Sign1;

const WHAT: &str = "attestation document";

/// A document, not verified.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The envelope with the signature.
    pub envelope: Sign1<'a>,
    /// The issuing hypervisor module.
    pub module_id: &'a str,
    /// When it was made, in milliseconds since 1970.
    pub timestamp: u64,
    /// The platform configuration registers in order of their numbers, SHA-384.
    pub pcrs: Vec<(u8, &'a [u8])>,
    /// The certificate of the signing key, DER.
    pub certificate: &'a [u8],
    /// The certificates above it, the root first.
    pub cabundle: Vec<&'a [u8]>,
    /// A key that the enclave had put in.
    pub public_key: Option<&'a [u8]>,
    /// Data that the enclave had put in.
    pub user_data: Option<&'a [u8]>,
    /// The nonce that the enclave had put in.
    pub nonce: Option<&'a [u8]>,
}

impl<'a> Document<'a> {
    /// Parses a document and checks what its specification asks for besides the signature.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let envelope = Sign1::parse(bytes)?;
        let map = Map::parse(WHAT, envelope.payload())?;
        let text = |field| map.required(field, map.text(Key::Text(field)));
        if text("digest")? != "SHA384" {
            return Err(Error::Unknown { what: "digest", value: 0 });
        }
        let timestamp = map.required("timestamp", map.number(Key::Text("timestamp")))?;
        let bundle = map.required("cabundle", map.array(Key::Text("cabundle")))?;
        let cabundle =
            bundle.into_iter().map(|member| cbor::byte_string("cabundle", member)).collect::<Result<_, _>>()?;
        let optional = |field: &'static str, limit: usize| match map.bytes(Key::Text(field))? {
            Some(value) if value.len() > limit => {
                Err(Error::Length { what: field, expected: limit, actual: value.len() })
            }
            other => Ok(other),
        };
        Ok(Self {
            module_id: text("module_id")?,
            timestamp: u64::try_from(timestamp).map_err(|_| Error::Unknown { what: "timestamp", value: 0 })?,
            pcrs: registers(map.raw(Key::Text("pcrs")).ok_or(Error::Missing { what: "pcrs" })?)?,
            certificate: map.required("certificate", map.bytes(Key::Text("certificate")))?,
            cabundle,
            public_key: optional("public_key", 1024)?,
            user_data: optional("user_data", 512)?,
            nonce: optional("nonce", 512)?,
            envelope,
        })
    }

    /// Returns a register's value.
    #[must_use]
    pub fn pcr(&self, register: u8) -> Option<&'a [u8]> {
        self.pcrs.iter().find(|(number, _)| *number == register).map(|(_, value)| *value)
    }

    /// Tells whether the enclave ran in debug mode, in which its measurements are zeros.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        self.pcr(0).is_none_or(|value| value.iter().all(|byte| *byte == 0))
    }
}

fn registers(encoded: &[u8]) -> Result<Vec<(u8, &[u8])>, Error> {
    let map = Map::parse("pcrs", encoded)?;
    let mut registers = Vec::new();
    for key in map.keys() {
        let number = match key {
            Key::Number(number @ 0..=31) => u8::try_from(number).unwrap_or(0),
            _ => return Err(Error::Unknown { what: "register", value: 0 }),
        };
        let value = map.required("register", map.bytes(key))?;
        // "pcrs: … the value of each is 32, 48 or 64 bytes", and the digest is SHA-384.
        if value.len() != 48 {
            return Err(Error::Length { what: "register", expected: 48, actual: value.len() });
        }
        registers.push((number, value));
    }
    registers.sort_unstable_by_key(|(number, _)| *number);
    Ok(registers)
}
