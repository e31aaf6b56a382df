// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Integrity Collection (PCR)".

mod pcr_allocate;
mod pcr_event;
mod pcr_extend;
mod pcr_read;
mod pcr_reset;
mod pcr_set_auth_policy;
mod pcr_set_auth_value;

#[cfg(test)]
mod tests;
