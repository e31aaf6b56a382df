// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Attestation Commands".

mod attest;
mod certify;
mod certify_creation;
mod get_command_audit_digest;
mod get_session_audit_digest;
mod get_time;
mod nv_certify;
mod quote;
#[cfg(test)]
mod tests;
