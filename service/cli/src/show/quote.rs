// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm quote show`: what a TPM attests, field by field, nothing of it verified.

use anyhow::{Context, Result};

use super::sheet;

/// More than any attestation or signature.
pub(super) const LIMIT: u64 = 1 << 16;

pub(super) fn show(bytes: &[u8], signature: Option<&[u8]>, json: bool) -> Result<()> {
    let mut fields = evtpm_describe::attestation(bytes)?;
    if let Some(signature) = signature {
        fields.extend(evtpm_describe::signature(signature).context("the signature")?);
    }
    sheet::print("attestation of a TPM (not verified)", fields, json)
}
