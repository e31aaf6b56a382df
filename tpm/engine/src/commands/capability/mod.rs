// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Capability Commands".

mod algorithms;
mod get_capability;
mod properties;
mod test_parms;

#[cfg(test)]
mod tests;
