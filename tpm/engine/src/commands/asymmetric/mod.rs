// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Asymmetric Primitives".
