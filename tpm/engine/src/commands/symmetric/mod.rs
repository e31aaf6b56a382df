// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Symmetric Primitives".

mod encrypt_decrypt;
mod hash;
pub(super) mod mac;
