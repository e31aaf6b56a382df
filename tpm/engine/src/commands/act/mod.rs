// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Authenticated Countdown Timer".

mod act_set_timeout;
