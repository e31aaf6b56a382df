// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Miscellaneous Management Functions".

mod pp_commands;
mod set_algorithm_set;
