// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures RSA beside the `rsa` crate, in one process and alternating, so that a loaded machine loads both.
//!
//! `cargo run --release -p evtpm-crypto --example rsa_speed [keys]`: minimum and median of the operations, mean of the
//! key generation, whose time is close to exponentially distributed: a mean of fewer than 100 keys says little.

#![expect(clippy::expect_used, reason = "a measurement that fails should stop")]

use evtpm_crypto::drbg::HmacDrbg;
use evtpm_crypto::rsa::{RsaKey, RsaPrivate, RsaPublic};
use evtpm_crypto::{Crypto, EntropyError, HashAlg, Rng, RustCrypto};
use std::time::{Duration, Instant};

/// Random bytes for both sides: SHA-256 over a seed and a counter.
struct Seeded(u64, u64);

impl Rng for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(32) {
            self.1 += 1;
            let block = RustCrypto::hash(HashAlg::Sha256, &[&self.0.to_be_bytes(), &self.1.to_be_bytes()]);
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryRng for Seeded {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let _ = self.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}

fn timed<T>(operation: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = operation();
    (start.elapsed(), value)
}

fn report(name: &str, ours: &mut [Duration], theirs: &mut [Duration]) {
    ours.sort();
    theirs.sort();
    let microseconds = |duration: Duration| duration.as_secs_f64() * 1e6;
    println!(
        "{name:24} ours {:9.1} min {:9.1} median; rsa crate {:9.1} min {:9.1} median; ratio {:.2}",
        microseconds(ours[0]),
        microseconds(ours[ours.len() / 2]),
        microseconds(theirs[0]),
        microseconds(theirs[theirs.len() / 2]),
        microseconds(theirs[0]) / microseconds(ours[0]),
    );
}

fn operations(bits: usize, rounds: usize) {
    let mut rng = Seeded(bits as u64, 0);
    let mut key = RsaPrivate::default();
    key.generate(bits, 65_537, &mut rng).expect("a key");
    let (mut modulus, mut prime) = (vec![0; bits / 8], vec![0; bits / 16]);
    key.write_modulus(&mut modulus).expect("its modulus");
    key.write_prime(&mut prime).expect("its prime");
    let public = RsaPublic::new(&modulus, 65_537).expect("a public key");

    let boxed = |bytes: &[u8]| {
        rsa::BoxedUint::from_be_slice(bytes, u32::try_from(bytes.len() * 8).expect("small")).expect("fits")
    };
    let wide = rsa::BoxedUint::from_be_slice(&prime, u32::try_from(bits).expect("small")).expect("fits");
    let q = boxed(&modulus).div_rem(&wide.to_nz().expect("not zero")).0.to_be_bytes();
    let theirs = rsa::RsaPrivateKey::from_p_q(boxed(&prime), boxed(&q[bits / 16..]), 65_537u64.into()).expect("a key");

    let mut block = vec![0x55; bits / 8];
    let (mut private, mut private_theirs) = (Vec::new(), Vec::new());
    let (mut opening, mut opening_theirs) = (Vec::new(), Vec::new());
    let mut loading = Vec::new();
    for _ in 0..rounds {
        let number = boxed(&block);
        private_theirs
            .push(timed(|| rsa::hazmat::rsa_decrypt_and_check(&theirs, Some(&mut rng), &number).expect("signs")).0);
        private.push(timed(|| key.raise(&mut block, &mut rng).expect("signs")).0);
        let number = boxed(&block);
        opening_theirs.push(timed(|| rsa::hazmat::rsa_encrypt(&theirs, &number).expect("opens")).0);
        opening.push(timed(|| public.raise(&mut block).expect("opens")).0);
        let stored = RsaKey { modulus: &modulus, exponent: 65_537, prime: &prime };
        loading.push(timed(|| key.load(stored).expect("loads")).0);
    }
    report(&format!("RSA-{bits} private"), &mut private, &mut private_theirs);
    report(&format!("RSA-{bits} public"), &mut opening, &mut opening_theirs);
    loading.sort();
    println!("RSA-{bits} load: {:?}", loading[0]);
}

fn generation(bits: usize, keys: u64) {
    let (mut ours, mut theirs, mut longest_step, mut steps) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0u64);
    for seed in 0..keys {
        let mut rng = HmacDrbg::<RustCrypto>::new(&[0x5a; 32], &seed.to_be_bytes(), b"rsa_speed");
        let mut key = RsaPrivate::default();
        key.search(bits, 65_537).expect("a size");
        loop {
            let (time, is_last) = timed(|| key.step(&mut rng).expect("a step"));
            ours += time;
            steps += 1;
            longest_step = longest_step.max(time);
            if is_last {
                break;
            }
        }
        theirs += timed(|| rsa::RsaPrivateKey::new(&mut Seeded(seed, 0), bits).expect("a key")).0;
    }
    let milliseconds = |total: Duration| total.as_secs_f64() * 1e3 / keys as f64;
    println!(
        "RSA-{bits} generate, mean of {keys}: ours {:.1} ms in {} steps (longest {:.2?}); rsa crate {:.1} ms; ratio {:.2}",
        milliseconds(ours),
        steps / keys,
        longest_step,
        milliseconds(theirs),
        milliseconds(theirs) / milliseconds(ours),
    );
}

fn main() {
    let keys = std::env::args().nth(1).and_then(|keys| keys.parse().ok()).unwrap_or(100);
    operations(1024, 300);
    operations(2048, 300);
    operations(3072, 100);
    operations(4096, 50);
    generation(2048, keys);
    generation(3072, (keys / 5).max(1));
}
