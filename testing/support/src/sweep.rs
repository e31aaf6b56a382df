// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much a sweep tries: tests change some bits of what is signed, `cargo xtask sweep` a thousand, by `EVTPM_CHANGES`.

use std::num::NonZeroUsize;

/// Tells how many changes are tried of each subject: `usual`, unless `EVTPM_CHANGES` says another number.
///
/// # Panics
/// When what it says is no number of changes.
#[must_use]
pub fn changes(usual: usize) -> usize {
    let told = std::env::var("EVTPM_CHANGES").ok();
    told.map_or(usual, |text| text.parse::<NonZeroUsize>().unwrap().get())
}

/// Walks over [`changes`] of the bits `0..bits`, at equal distances.
pub fn spread(bits: usize, usual: usize) -> impl Iterator<Item = usize> {
    (0..bits).step_by((bits / changes(usual)).max(1))
}
