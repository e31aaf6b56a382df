// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence as Confidential Containers' attestation agent writes it: JSON with the fields of every structure.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use super::report::{Report, Version};
use crate::Error;

/// The wrapper's mark that a report may be of version 2.
const EXTENDED: [u8; 16] = *b"ATTESTATION_EXT\0";

/// A report with certificates and, perhaps, the log of its runtime registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The page with the report.
    pub page: Vec<u8>,
    /// The report's version.
    pub version: Version,
    /// Hygon's signing key, if it was sent along.
    pub signing: Option<Vec<u8>>,
    /// The chip's key, if it was sent along.
    pub chip: Option<Vec<u8>>,
    /// The platform's key.
    pub platform: Vec<u8>,
    /// The chip's serial number, as its sender says.
    pub serial_number: String,
    /// The log of the runtime registers, in Base64.
    pub event_log: Option<String>,
}

impl Evidence {
    /// Parses evidence in JSON.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let malformed = |detail: String| Error::Malformed { what: "CSV evidence", detail };
        let raw: Raw = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        let wrapper = raw.attestation_report;
        let version = match (wrapper.magic, wrapper.flags) {
            (magic, _) if magic == [0; 16] => Version::V1,
            (EXTENDED, 0) => Version::V1,
            (EXTENDED, 1) => Version::V2,
            (_, flags) => return Err(Error::Unknown { what: "flags of a CSV report", value: u64::from(flags) }),
        };
        let serial = raw.serial_number.split(|byte| *byte == 0).next().unwrap_or_default();
        let serial_number = String::from_utf8(serial.to_vec()).map_err(|error| malformed(error.to_string()))?;
        let (signing, chip) = raw
            .cert_chain
            .hsk_cek
            .map_or((None, None), |pair| (Some(pair.hsk.into_bytes()), Some(pair.cek.into_bytes())));
        let platform = raw.cert_chain.pek.into_bytes();
        let page = wrapper.data;
        Ok(Self { page, version, signing, chip, platform, serial_number, event_log: raw.cc_eventlog })
    }

    /// Returns the report.
    pub fn report(&self) -> Result<Report<'_>, Error> {
        Report::parse(self.version, &self.page)
    }
}

#[derive(Deserialize)]
struct Raw {
    attestation_report: Wrapper,
    cert_chain: Chain,
    serial_number: Vec<u8>,
    #[serde(default)]
    cc_eventlog: Option<String>,
}

#[derive(Deserialize)]
struct Wrapper {
    #[serde(default)]
    magic: [u8; 16],
    #[serde(default)]
    flags: u32,
    data: Vec<u8>,
}

#[derive(Deserialize)]
struct Chain {
    #[serde(default)]
    hsk_cek: Option<Pair>,
    pek: Platform,
}

#[derive(Deserialize)]
struct Pair {
    hsk: Authority,
    cek: Platform,
}

#[derive(Deserialize)]
struct Numbers {
    r: Vec<u8>,
    s: Vec<u8>,
}

#[derive(Deserialize)]
struct Point {
    g: u32,
    x: Vec<u8>,
    y: Vec<u8>,
}

impl Point {
    fn bytes(self) -> Vec<u8> {
        [self.g.to_le_bytes().to_vec(), self.x, self.y].concat()
    }
}

/// The certificate of an authority: its parts in their order. A list of a wrong length makes a wrong certificate, which its parser
/// refuses, or whose signature is wrong.
#[derive(Deserialize)]
struct Authority {
    body: AuthorityBody,
    signature: Numbers,
    #[serde(rename = "_reserved")]
    reserved: Vec<u8>,
}

#[derive(Deserialize)]
struct AuthorityBody {
    preamble: Preamble,
    pubkey: Point,
    uid_size: u16,
    user_id: Vec<u8>,
    reserved: Vec<u8>,
}

#[derive(Deserialize)]
struct Preamble {
    ver: u32,
    data: PreambleData,
}

#[derive(Deserialize)]
struct PreambleData {
    kid: Vec<u8>,
    sid: Vec<u8>,
    usage: u32,
    reserved: Vec<u8>,
}

impl Authority {
    fn into_bytes(self) -> Vec<u8> {
        let AuthorityBody { preamble: Preamble { ver, data }, pubkey, uid_size, user_id, reserved } = self.body;
        let PreambleData { kid, sid, usage, reserved: inner } = data;
        let head = [ver.to_le_bytes().to_vec(), kid, sid, usage.to_le_bytes().to_vec(), inner].concat();
        let name = [uid_size.to_le_bytes().to_vec(), user_id, reserved].concat();
        [head, pubkey.bytes(), name, self.signature.r, self.signature.s, self.reserved].concat()
    }
}

/// The certificate of a chip or a platform.
#[derive(Deserialize)]
struct Platform {
    body: PlatformBody,
    sigs: Vec<Block>,
}

#[derive(Deserialize)]
struct PlatformBody {
    ver: u32,
    data: PlatformData,
}

#[derive(Deserialize)]
struct PlatformData {
    firmware: Firmware,
    reserved1: u16,
    pubkey: PlatformKey,
    uid_size: u16,
    user_id: Vec<u8>,
    sid: Vec<u8>,
    reserved2: Vec<u8>,
}

#[derive(Deserialize)]
struct Firmware {
    major: u8,
    minor: u8,
}

#[derive(Deserialize)]
struct PlatformKey {
    usage: u32,
    algo: u32,
    key: Point,
}

#[derive(Deserialize)]
struct Block {
    usage: u32,
    algo: u32,
    signature: Numbers,
    #[serde(rename = "_reserved")]
    reserved: Vec<u8>,
}

impl Platform {
    fn into_bytes(self) -> Vec<u8> {
        let data = self.body.data;
        let PlatformKey { usage, algo, key } = data.pubkey;
        let head =
            [self.body.ver.to_le_bytes().to_vec(), alloc::vec![data.firmware.major, data.firmware.minor]].concat();
        let numbers = [usage.to_le_bytes(), algo.to_le_bytes()].concat();
        let name = [data.uid_size.to_le_bytes().to_vec(), data.user_id, data.sid, data.reserved2].concat();
        let blocks: Vec<u8> = self.sigs.into_iter().flat_map(Block::bytes).collect();
        [head, data.reserved1.to_le_bytes().to_vec(), numbers, key.bytes(), name, blocks].concat()
    }
}

impl Block {
    fn bytes(self) -> Vec<u8> {
        let numbers = [self.usage.to_le_bytes(), self.algo.to_le_bytes()].concat();
        [numbers, self.signature.r, self.signature.s, self.reserved].concat()
    }
}
