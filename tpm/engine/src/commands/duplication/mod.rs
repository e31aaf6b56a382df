// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Duplication Commands".

mod duplicate;
mod import;
mod outer;
mod rewrap;
#[cfg(test)]
mod tests;
