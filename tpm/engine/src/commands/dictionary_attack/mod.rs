// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Dictionary Attack Functions".

mod dictionary_attack_lock_reset;
mod dictionary_attack_parameters;

#[cfg(test)]
mod tests;
