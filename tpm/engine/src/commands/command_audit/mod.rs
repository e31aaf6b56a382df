// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Command Audit".

mod set_command_code_audit_status;
#[cfg(test)]
mod tests;
