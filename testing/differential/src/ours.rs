// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our TPM with the limits of libtpms, so that a full table is full at the same moment on both sides.

use evtpm_engine::{DaParameters, Execution, Limits, Locality, Profile, Tpm};
use evtpm_testing_support::{Noise, TestPlatform};
use evtpm_tpm_wire::{KeyBits, Supported};

/// The profile `pc-client`, with the numbers of slots and tries that libtpms 0.9.2 was built with.
#[must_use]
pub fn profile() -> Profile {
    let profile = Profile::pc_client();
    let limits = Limits {
        transient_objects: 3,
        loaded_sessions: 3,
        active_sessions: 64,
        nv_index_bytes: 2048,
        ..profile.limits
    };
    // Debian's libtpms has no AES with 192 bits.
    let supported = Supported {
        aes_key_bits: KeyBits::of(&[128, 256]),
        rsa_key_bits: KeyBits::of(&[1024, 2048, 3072]),
        transient_handles: 3,
        nv_index_size: 2048,
        ..profile.supported
    };
    Profile {
        supported,
        limits,
        dictionary_attack: DaParameters { max_tries: 3, recovery_seconds: 1_000, lockout_recovery_seconds: 1_000 },
        ..profile
    }
}

/// Our TPM in this process.
#[derive(Debug)]
pub struct Ours(Tpm<TestPlatform>);

impl Ours {
    /// Makes a new TPM and powers it on.
    ///
    /// # Panics
    /// When there is no memory for it.
    #[must_use]
    pub fn manufacture(seed: u64, profile: Profile) -> Self {
        Self(Tpm::manufacture(TestPlatform::new(Noise::Good(seed)), profile).unwrap())
    }

    /// Does `_TPM_Init`.
    pub fn power_cycle(&mut self) {
        self.0.power_on();
    }

    /// Lets somebody hold the physical-presence line, or let it go.
    pub fn set_physical_presence(&mut self, asserted: bool) {
        self.0.platform_mut().physical_presence = asserted;
    }

    /// Executes a command at a locality from 0 to 4.
    ///
    /// # Panics
    /// When the command waits for a host, which none here does: no EK certificate is defined.
    pub fn execute(&mut self, locality: u8, command: &mut [u8], response: &mut Vec<u8>) {
        // Time goes on between commands, as it does for libtpms.
        self.0.platform_mut().now_ms += 5;
        response.resize(8192, 0);
        let Execution::Response(size) = self.0.execute(Locality::new(locality).unwrap(), command, response) else {
            panic!("nobody defined an EK certificate");
        };
        response.truncate(size);
    }
}
