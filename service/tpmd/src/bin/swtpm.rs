// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `swtpm`, for everything that starts it by that name.

fn main() -> anyhow::Result<()> {
    evtpm_tpmd::swtpm_program::run()
}
