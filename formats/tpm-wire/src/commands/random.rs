// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Random Number Generator".
use crate::{Tpm2bDigest, Tpm2bSensitiveData, command};

command! {
    GET_RANDOM [];
    /// Returns random bytes (`TPM2_GetRandom`).
    command GetRandom {
        bytes_requested: u16,
    }
    response GetRandomResponse {
        random_bytes: Tpm2bDigest,
    }
}

command! {
    STIR_RANDOM [NV];
    /// Adds to the state of the random number generator (`TPM2_StirRandom`).
    command StirRandom {
        in_data: Tpm2bSensitiveData,
    }
}
