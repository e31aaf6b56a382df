// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the object commands share: checks of a public area, making of keys, protection, creation data, secret exchange.

pub(crate) mod attributes;
pub(crate) mod commitment;
pub(crate) mod create;
pub(crate) mod creation_data;
pub(crate) mod derivation;
pub(crate) mod encapsulation;
mod lattice;
pub(crate) mod load;
pub(crate) mod private;
pub(crate) mod schemes;
pub(crate) mod secret;
pub(crate) mod signing;
