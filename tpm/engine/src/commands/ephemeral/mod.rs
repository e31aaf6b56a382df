// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Ephemeral EC Keys".

mod commit;
mod ec_ephemeral;
#[cfg(test)]
mod tests;
