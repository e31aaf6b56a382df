// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Context Management".

mod context_load;
mod context_save;
pub(crate) mod encoding;
mod evict_control;
mod flush_context;
mod protection;

#[cfg(test)]
mod tests;
