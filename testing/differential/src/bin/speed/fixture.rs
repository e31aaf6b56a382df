// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TPM holds before the clock runs: keys at persistent handles, an NV index, a session, and answers to send back.
//!
//! libtpms has room for three loaded objects. One is the attestation key, as a guest would have it; the other keys are
//! persistent, and two places are left for what is measured.

use anyhow::{Context, Result, ensure};

use crate::commands::{self, *};
use crate::ways::Way;

pub(crate) const AK: [u8; 4] = [0x80, 0, 0, 0];
pub(crate) const STORAGE: [u8; 4] = [0x81, 0, 0, 1];
pub(crate) const SIGN: [u8; 4] = [0x81, 0, 0, 2];
pub(crate) const EXCHANGE: [u8; 4] = [0x81, 0, 0, 3];
pub(crate) const RSA_AK: [u8; 4] = [0x81, 0, 0, 4];
pub(crate) const RSA_SIGN: [u8; 4] = [0x81, 0, 0, 5];
pub(crate) const DECRYPT: [u8; 4] = [0x81, 0, 0, 6];
pub(crate) const HMAC: [u8; 4] = [0x81, 0, 0, 7];
pub(crate) const SYMMETRIC: [u8; 4] = [0x81, 0, 0, 8];
pub(crate) const SEALED: [u8; 4] = [0x81, 0, 0, 9];
pub(crate) const NV: [u8; 4] = [1, 0x50, 0, 1];

/// `TPM_RC_RETRY`: libtpms says it at its first look at the counters of dictionary attacks.
const RETRY: [u8; 4] = [0, 0, 9, 0x22];

/// One TPM's answers that are parts of later commands.
#[derive(Debug, Default)]
pub(crate) struct Fixture {
    /// `TPM2B_PUBLIC` of the attestation key.
    pub(crate) public: Vec<u8>,
    /// `TPM2B_PRIVATE` and `TPM2B_PUBLIC` of sealed data, and of a signing key.
    pub(crate) sealed: Vec<u8>,
    pub(crate) child: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) rsa_signature: Vec<u8>,
    /// What RSA_Encrypt gave.
    pub(crate) cipher: Vec<u8>,
    /// The ephemeral point of ECDH_KeyGen.
    pub(crate) point: Vec<u8>,
    pub(crate) context: Vec<u8>,
    /// A policy session.
    pub(crate) session: Vec<u8>,
}

/// Sends a command until it succeeds, and gives what follows the header.
pub(crate) fn ask(way: &mut dyn Way, command: &[u8]) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        way.send(&mut command.to_vec(), &mut answer)?;
        match answer.get(6..10) {
            Some([0, 0, 0, 0]) => return Ok(answer.split_off(10)),
            Some(code) if code == RETRY => {}
            _ => anyhow::bail!("{:02x?} was answered by {answer:02x?}", command.get(..14).unwrap_or(command)),
        }
    }
}

impl Fixture {
    /// Fills a new TPM.
    pub(crate) fn prepare(way: &mut dyn Way) -> Result<Self> {
        ask(way, &startup())?;
        let ak = ask(way, &create_primary(ECC_ATTESTATION))?;
        ensure!(ak.get(..4) == Some(&AK), "the attestation key has another handle");
        keep(way, &create_primary(&commands::storage()), STORAGE)?;
        for (template, handle) in [
            (ECC_SIGN, SIGN),
            (ECC_EXCHANGE, EXCHANGE),
            (RSA_ATTESTATION, RSA_AK),
            (RSA_SIGNING, RSA_SIGN),
            (RSA_DECRYPTION, DECRYPT),
            (KEYED_HMAC, HMAC),
            (AES_128, SYMMETRIC),
        ] {
            keep(way, &create_primary(template), handle)?;
        }
        let sealed = pair(&ask(way, &create(&[9; 32], KEYED_DATA))?)?;
        keep(way, &load(&sealed), SEALED)?;
        let child = pair(&ask(way, &create(&[], ECC_SIGN))?)?;
        ask(way, &nv_define())?;
        ask(way, &nv_write(&Self::default(), 0))?;
        let exchange = ask(way, &plain(0x163, &[&EXCHANGE]))?;
        let (_, point) = split(&exchange)?;
        Ok(Self {
            public: split(&ask(way, &plain(0x173, &[&AK]))?)?.0.to_vec(),
            sealed,
            child,
            signature: parameters(&ask(way, &commands::sign(SIGN, 0))?)?,
            rsa_signature: parameters(&ask(way, &commands::sign(RSA_SIGN, 0))?)?,
            cipher: ask(way, &rsa_encrypt(0))?,
            point: point.to_vec(),
            context: ask(way, &plain(0x162, &[&AK]))?,
            session: ask(way, &start_session(1))?.get(..4).context("a session without handle")?.to_vec(),
        })
    }
}

/// Runs a command that loads an object, and keeps that under a persistent handle.
fn keep(way: &mut dyn Way, command: &[u8], persistent: [u8; 4]) -> Result<()> {
    let loaded = ask(way, command)?;
    let handle = loaded.get(..4).context("an object without handle")?;
    ask(way, &evict(handle, persistent))?;
    ask(way, &flush(handle))?;
    Ok(())
}

/// The parameters of a response with one password session and no handle.
fn parameters(response: &[u8]) -> Result<Vec<u8>> {
    let (size, rest) = response.split_first_chunk().context("no parameters")?;
    Ok(rest.get(..u32::from_be_bytes(*size) as usize).context("too few parameters")?.to_vec())
}

/// The private and the public area that TPM2_Create gives, which TPM2_Load takes as they are.
fn pair(response: &[u8]) -> Result<Vec<u8>> {
    let parameters = parameters(response)?;
    let (private, rest) = split(&parameters)?;
    let (public, _) = split(rest)?;
    Ok([private, public].concat())
}

/// Splits the first sized buffer off, with its size.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let size = bytes.first_chunk().copied().map(u16::from_be_bytes).context("no size")?;
    bytes.split_at_checked(usize::from(size) + 2).context("a buffer shorter than its size")
}
