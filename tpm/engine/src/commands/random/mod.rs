// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Random Number Generator".

mod get_random;
mod stir_random;
