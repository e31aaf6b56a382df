// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Clocks and Timers".

mod clock_rate_adjust;
mod clock_set;
mod read_clock;
