// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What people look at: a machine's evidence as it was judged, and what another policy would say of it.

mod chain;
mod files;
mod logs;
mod platform;
mod shown;
mod trial;

pub(crate) use chain::chain;
pub(crate) use files::accept;
pub(crate) use logs::{ImaQuery, boot_log, ima};
pub(crate) use platform::{platform, with_floors};
pub(crate) use shown::{LogsThere, Shown, logs_of_round};
pub(crate) use trial::{effect, try_on};

/// Bytes of a log that are kept of a boot, where the operator says nothing else.
pub(crate) const KEPT_LOGS: u64 = 4 << 20;
