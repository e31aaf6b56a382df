// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm report show`: an attestation report, field by field, nothing of it verified.

use anyhow::Result;

use super::sheet;

pub(super) fn show(bytes: &[u8], json: bool) -> Result<()> {
    sheet::print("attestation report (not verified)", evtpm_describe::report(bytes)?, json)
}
