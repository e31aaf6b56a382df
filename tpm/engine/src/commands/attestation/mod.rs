// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Attestation Commands".

mod attest;
mod certify;
mod certify_creation;
mod certify_x509;
mod get_command_audit_digest;
mod get_session_audit_digest;
mod get_time;
mod nv_certify;
mod quote;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod x509_tests;
