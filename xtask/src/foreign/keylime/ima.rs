// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel that measures files: `TPM2_PCR_Event` extends each bank of PCR 10 with that bank's own hash of an entry, as
//! Linux does, and returns the SHA-1 that stands in the list.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context as _, ensure};

const PCR_EVENT: u32 = 0x0000_013C;
const ST_SESSIONS: u16 = 0x8002;
const IMA_PCR: u32 = 10;
const SHA1: [u8; 2] = [0x00, 0x04];
/// The empty password: TPM_RS_PW, no nonce, no attributes, no HMAC.
const PASSWORD: [u8; 13] = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];

/// Measures files, each a path and the byte that its SHA-256 is made of, and returns the lines of the list.
pub(super) fn measure(port: u16, files: &[(&str, u8)]) -> anyhow::Result<String> {
    let mut tpm = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut lines = String::new();
    for (path, byte) in files {
        let template = template(path, *byte);
        let template_hash = event(&mut tpm, &template).with_context(|| format!("measuring {path}"))?;
        writeln!(lines, "10 {} ima-ng sha256:{} {path}", hex(&template_hash), digest(*byte))?;
    }
    Ok(lines)
}

/// The digest of a file, in hexadecimal.
pub(super) fn digest(byte: u8) -> String {
    hex(&[byte; 32])
}

/// The data of an `ima-ng` entry: each field behind its length.
fn template(path: &str, byte: u8) -> Vec<u8> {
    let digest = [b"sha256:\0", &[byte; 32][..]].concat();
    let path = [path.as_bytes(), b"\0"].concat();
    let mut template = Vec::new();
    for field in [digest, path] {
        template.extend(u32::try_from(field.len()).unwrap_or_default().to_le_bytes());
        template.extend(field);
    }
    template
}

fn event(tpm: &mut TcpStream, data: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = PCR_EVENT.to_be_bytes().to_vec();
    body.extend(IMA_PCR.to_be_bytes());
    body.extend(PASSWORD);
    body.extend(u16::try_from(data.len())?.to_be_bytes());
    body.extend(data);
    let mut command = ST_SESSIONS.to_be_bytes().to_vec();
    command.extend(u32::try_from(body.len() + 6)?.to_be_bytes());
    command.extend(body);
    tpm.write_all(&command)?;

    let mut response = vec![0; 4096];
    let size = tpm.read(&mut response)?;
    ensure!(response.get(6..10) == Some(&[0; 4]), "TPM2_PCR_Event: {}", hex(&response[..size]));
    // Header, size of the parameters, count of the digests; then SHA-1 is the first bank.
    ensure!(response.get(18..20) == Some(&SHA1), "the TPM's first bank is not SHA-1");
    Ok(response[20..40].to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
