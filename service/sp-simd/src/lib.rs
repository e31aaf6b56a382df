// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The simulated secure processor behind a socket.
#![forbid(unsafe_code)]
