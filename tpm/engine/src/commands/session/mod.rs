// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Session Commands".

mod policy_restart;
mod start_auth_session;
#[cfg(test)]
mod tests;
