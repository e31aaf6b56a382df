// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Hierarchy Commands".

mod change_eps;
mod change_pps;
mod clear;
mod clear_control;
mod create_primary;
mod hierarchy_change_auth;
mod hierarchy_control;
mod read_only_control;
mod set_primary_policy;

#[cfg(test)]
mod tests;
