// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Start-up".

mod shutdown;
mod startup;

#[cfg(test)]
mod tests;
