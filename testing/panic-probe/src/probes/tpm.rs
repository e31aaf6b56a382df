// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The whole TPM: manufacture, the host's calls, and any command at any locality.

use core::hint::black_box;

use evtpm_engine::{Ek, Execution, Locality, Pending, Platform, Profile, Tpm};

use crate::stub::Anything;

impl Platform for Anything {
    type Crypto = Self;
    type Noise = Self;

    fn noise(&mut self) -> &mut Self {
        self
    }

    fn now_ms(&mut self) -> u64 {
        black_box(0)
    }

    fn physical_presence(&self) -> bool {
        black_box(false)
    }
}

pub(super) fn all(command: &mut [u8], response: &mut [u8]) {
    let profile = if black_box(true) { Profile::svsm() } else { Profile::pqc().within(black_box(4096)) };
    let Ok(mut tpm) = Tpm::manufacture(Anything, profile) else { return };
    tpm.power_on();
    tpm.hash_start();
    tpm.hash_data(command);
    tpm.hash_end();
    host(&mut tpm, command);
    let Some(locality) = Locality::new(black_box(0)) else { return };
    if let Execution::Pending(Pending::EkCertificate { index }) = tpm.execute(locality, command, response) {
        let _ = black_box(tpm.host().decline_ek_certificate(index));
    }
}

fn host(tpm: &mut Tpm<Anything>, certificate: &[u8]) {
    let ek = black_box(Ek::EccP256);
    let mut host = tpm.host();
    let _ = black_box(host.ek_public(ek).is_ok());
    let _ = black_box(host.define_ek_certificate(black_box(0), ek, certificate.len()));
    let _ = black_box(host.set_ek_certificate(black_box(0), certificate));
    host.stale_ek_certificates().for_each(|stale| {
        black_box(stale);
    });
}
