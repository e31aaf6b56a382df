// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Testing".

mod get_test_result;
mod incremental_self_test;
mod self_test;

#[cfg(test)]
mod tests;
