// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `evtpm` command line.

fn main() {}
