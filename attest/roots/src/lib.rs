// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pinned vendor roots with provenance.
#![forbid(unsafe_code)]
