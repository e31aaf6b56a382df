// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines: who they are, what is believed of their present boots, and in which state they are.

pub(crate) mod identity;
mod known_by;
mod live;
mod state;

pub(crate) use known_by::{KnownBy, outlives_boots};
pub(crate) use live::{Kept, Live, LiveBoots};
pub(crate) use state::{STALE_AFTER, state, summary};
