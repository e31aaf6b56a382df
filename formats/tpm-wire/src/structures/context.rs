// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saved contexts (Part 2, "Context Data").
use crate::{Bytes, Large, TpmiDhSaved, TpmiRhHierarchy, structure};

/// The size of the greatest saved context.
pub const MAX_CONTEXT: usize = 3200;

structure! {
    /// A saved context in a command (`TPMS_CONTEXT`).
    pub struct TpmsContextIn<'a> {
        /// The number of the context.
        pub sequence: u64,
        /// What was saved.
        pub saved_handle: TpmiDhSaved,
        /// The hierarchy of an object, null for a session.
        pub hierarchy: TpmiRhHierarchy,
        /// The protected content.
        pub context_blob: Bytes<'a, MAX_CONTEXT>,
    }

    /// A saved context in a response (`TPMS_CONTEXT`).
    pub struct TpmsContext {
        /// The number of the context.
        pub sequence: u64,
        /// What was saved.
        pub saved_handle: TpmiDhSaved,
        /// The hierarchy of an object, null for a session.
        pub hierarchy: TpmiRhHierarchy,
        /// The protected content.
        pub context_blob: Large<MAX_CONTEXT>,
    }
}
