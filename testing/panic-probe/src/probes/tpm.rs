// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The whole TPM: manufacture, the host's calls, and any command at any locality.

use core::hint::black_box;

use evtpm_engine::snapshot::{Archive, Invalid};
use evtpm_engine::{Ek, Execution, Locality, Pending, Platform, Profile, Step, Tpm};
use evtpm_tpm_wire::{Overflow, Rc, Reader, Writer};

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
    let Ok(mut tpm) = Tpm::manufacture(Anything, profile.clone()) else { return };
    tpm.power_on();
    tpm.hash_start();
    tpm.hash_data(command);
    tpm.hash_end();
    host(&mut tpm, command);
    let Some(locality) = Locality::new(black_box(0)) else { return };
    if let Execution::Pending(Pending::EkCertificate { index }) = tpm.execute(locality, command, response) {
        let _ = black_box(tpm.host().decline_ek_certificate(index));
    }
    if matches!(tpm.step(locality, command, response, black_box(1)), Step::Working) {
        black_box(tpm.cancel(response));
    }
    snapshot(&mut tpm, command, profile);
}

fn snapshot(tpm: &mut Tpm<Anything>, room: &mut [u8], profile: Profile) {
    let mut archive = Shelf(room);
    let _ = black_box(tpm.save_permanent(&mut archive).is_ok());
    let _ = black_box(tpm.save_volatile(&mut archive).is_ok());
    let (mut permanent, mut volatile) = archive.split();
    let volatile = black_box(true).then_some(&mut volatile);
    let _ = black_box(Tpm::restore(Anything, profile, &mut permanent, volatile).is_ok());
}

/// Keeps values in bytes that could be anything, and gives them back from there.
struct Shelf<'a>(&'a mut [u8]);

impl<'a> Shelf<'a> {
    fn split(self) -> (Self, Self) {
        let (left, right) = self.0.split_at_mut_checked(black_box(0)).unwrap_or_default();
        (Self(left), Self(right))
    }
}

impl Archive for Shelf<'_> {
    type Error = Invalid;

    fn is_restoring(&self) -> bool {
        black_box(true)
    }

    fn pass_with<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&T, &mut Writer<'_>) -> Result<(), Overflow>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Rc>,
    ) -> Result<Option<T>, Invalid> {
        if let Some(value) = value.filter(|_| black_box(true)) {
            write(value, &mut Writer::new(black_box(&mut *self.0))).map_err(|_| Invalid::Value)?;
        }
        let mut reader = Reader::permissive(black_box(&*self.0));
        if black_box(true) { read(&mut reader).map(Some).map_err(|_| Invalid::Value) } else { Ok(None) }
    }

    fn octets(&mut self, octets: &mut [u8]) -> Result<(), Invalid> {
        octets.iter_mut().for_each(|octet| *octet = black_box(0));
        if black_box(true) { Ok(()) } else { Err(Invalid::Value) }
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
