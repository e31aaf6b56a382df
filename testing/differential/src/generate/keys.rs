// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys that both sides load with their secrets, so that they compute the same.

use std::sync::OnceLock;

use evtpm_crypto::{Crypto, EccCurve, EccPrivate, EntropyError, HashAlg, Rng, RustCrypto};
use evtpm_tpm_wire::Handle;

use crate::both::Mixed;
use crate::dice::Dice;

use super::NULL_ALG;

/// The key of the known cipher object.
pub const AES: [u8; 16] = [0x2b; 16];
/// The key of the known HMAC object.
pub const HMAC: [u8; 24] = [0x5c; 24];
/// Obfuscates the unique field of symmetric objects.
const SEED: [u8; 32] = [0x36; 32];

/// The scheme whose signatures have a first half (`TPM2_Commit`).
pub(super) const ECDAA: u16 = 0x001A;

const USER_WITH_AUTH: u32 = 1 << 6;
const NO_DA: u32 = 1 << 10;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// A 2048-bit key: modulus and one prime.
#[derive(Debug)]
pub struct Rsa {
    /// The modulus.
    pub modulus: Vec<u8>,
    /// The prime.
    pub prime: Vec<u8>,
}

struct Repeatable(Dice);

impl Rng for Repeatable {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.iter_mut().for_each(|byte| *byte = self.0.number().to_le_bytes()[0]);
        Ok(())
    }
}

/// The known RSA key, made once.
///
/// # Panics
/// When no key can be made.
pub fn rsa() -> &'static Rsa {
    static KEY: OnceLock<Rsa> = OnceLock::new();
    KEY.get_or_init(|| {
        let [mut modulus, mut prime] = [vec![0; 256], vec![0; 128]];
        let mut rng = Repeatable(Dice::new(1, 1));
        RustCrypto::rsa_generate(0x1_0001, &mut rng, &mut modulus, &mut prime).unwrap();
        Rsa { modulus, prime }
    })
}

/// Numbers that are the same in every run.
pub fn repeatable(dice: &mut Dice) -> impl Rng + use<> {
    Repeatable(Dice::new(dice.number(), 0))
}

/// The known private key of a curve.
///
/// # Panics
/// Never: three is a private key of every curve.
#[must_use]
pub fn ecc(curve: EccCurve) -> EccPrivate {
    let mut scalar = vec![0; curve.coordinate_size()];
    scalar[0] = 0;
    *scalar.last_mut().unwrap() = 3;
    scalar[curve.coordinate_size() / 2] = 0x5a;
    EccPrivate::new(curve, &scalar).unwrap()
}

const CURVES: [(EccCurve, u16); 3] = [(EccCurve::P256, 3), (EccCurve::P384, 4), (EccCurve::P521, 5)];

/// Writes the parameters of `TPM2_LoadExternal` for a known key, with or without its secret, and tells the authValue.
pub(super) fn external(dice: &mut Dice, out: &mut Mixed) -> Vec<u8> {
    let auth = super::new_auth(dice);
    let (sensitive, public) = match dice.below(5) {
        0 => rsa_key(dice, &auth),
        1 | 2 => ecc_key(dice, &auth),
        3 => symmetric_key(dice, &auth, 0x0008, &HMAC),
        _ => symmetric_key(dice, &auth, 0x0025, &AES),
    };
    let public_only = dice.percent(18);
    if public_only {
        out.u16(0);
    } else {
        out.append_sized(&sensitive);
    }
    out.append_sized(&public);
    let hierarchy = if public_only && dice.percent(50) { super::any_hierarchy(dice) } else { Handle::NULL.0 };
    out.u32(hierarchy);
    auth
}

fn header(dice: &mut Dice, kind: u16, attributes: u32) -> Mixed {
    let mut public = Mixed::default();
    let extra = if dice.percent(8) { 1 << dice.below(20) } else { 0 };
    let name_alg = if dice.percent(5) { NULL_ALG } else { 0x000B };
    public.u16(kind).u16(name_alg).u32((attributes | USER_WITH_AUTH | NO_DA) ^ extra).sized(&[]);
    public
}

fn secret(kind: u16, auth: &[u8], seed: &[u8], secret: &[u8]) -> Mixed {
    let mut sensitive = Mixed::default();
    sensitive.u16(kind).sized(auth).sized(seed).sized(secret);
    sensitive
}

fn purpose(dice: &mut Dice) -> u32 {
    dice.of([SIGN, SIGN, DECRYPT, SIGN | DECRYPT])
}

fn rsa_key(dice: &mut Dice, auth: &[u8]) -> (Mixed, Mixed) {
    let purpose = purpose(dice);
    let mut public = header(dice, 0x0001, purpose);
    let scheme = match purpose {
        SIGN => dice.of([0x0014, 0x0016, NULL_ALG]),
        DECRYPT => dice.of([0x0015, 0x0017, NULL_ALG]),
        _ => NULL_ALG,
    };
    public.u16(NULL_ALG).u16(scheme);
    if !matches!(scheme, NULL_ALG | 0x0015) {
        public.u16(0x000B);
    }
    public.u16(2048).u32(0).sized(&rsa().modulus);
    (secret(0x0001, auth, &[], &rsa().prime), public)
}

/// Writes the parameters of `TPM2_LoadExternal` for the known key of P-256 with the anonymous scheme.
pub(super) fn anonymous(dice: &mut Dice, out: &mut Mixed) -> Vec<u8> {
    let auth = super::new_auth(dice);
    let mut public = Mixed::default();
    public.u16(0x0023).u16(0x000B).u32(SIGN | USER_WITH_AUTH | NO_DA).sized(&[]);
    public.u16(NULL_ALG).u16(ECDAA).u16(0x000B).u16(0).u16(3).u16(NULL_ALG);
    let private = ecc(EccCurve::P256);
    let point = RustCrypto::ecc_public(&private).unwrap();
    public.sized(point.x()).sized(point.y());
    out.append_sized(&secret(0x0023, &auth, &[], private.as_bytes())).append_sized(&public).u32(Handle::NULL.0);
    auth
}

fn ecc_key(dice: &mut Dice, auth: &[u8]) -> (Mixed, Mixed) {
    let purpose = purpose(dice);
    let (curve, number) = if dice.percent(80) { CURVES[0] } else { dice.of(CURVES) };
    let mut public = header(dice, 0x0023, purpose);
    let scheme = match purpose {
        SIGN => dice.of([0x0018, 0x0018, ECDAA, 0x001C, NULL_ALG]),
        DECRYPT => dice.of([0x0019, NULL_ALG]),
        _ => NULL_ALG,
    };
    public.u16(NULL_ALG).u16(scheme);
    match scheme {
        NULL_ALG => {}
        ECDAA => _ = public.u16(0x000B).u16(0),
        _ => _ = public.u16(0x000B),
    }
    let private = ecc(curve);
    let point = RustCrypto::ecc_public(&private).unwrap();
    public.u16(number).u16(NULL_ALG).sized(point.x()).sized(point.y());
    (secret(0x0023, auth, &[], private.as_bytes()), public)
}

fn symmetric_key(dice: &mut Dice, auth: &[u8], kind: u16, key: &[u8]) -> (Mixed, Mixed) {
    let purpose = if kind == 0x0008 { SIGN } else { dice.of([DECRYPT, SIGN | DECRYPT]) };
    let mut public = header(dice, kind, purpose);
    if kind == 0x0008 {
        if dice.percent(60) {
            public.u16(0x0005).u16(super::id(super::hash(dice)))
        } else {
            public.u16(NULL_ALG)
        };
    } else {
        public.u16(0x0006).u16(128).u16(dice.of([0x0040, 0x0041, 0x0042, 0x0043, 0x0044, NULL_ALG]));
    }
    public.sized(RustCrypto::hash(HashAlg::Sha256, &[&SEED, key]).as_bytes());
    (secret(kind, auth, &SEED, key), public)
}

/// A point on a curve, mostly.
pub(super) fn point(dice: &mut Dice, curve: u16) -> Mixed {
    let curve = CURVES.iter().find(|(_, number)| *number == curve).map_or(EccCurve::P256, |(curve, _)| *curve);
    let mut rng = repeatable(dice);
    let private = EccPrivate::generate(curve, &mut rng).unwrap();
    let point = RustCrypto::ecc_public(&private).unwrap();
    let mut x = point.x().to_vec();
    if dice.percent(15) {
        x[5] ^= 1;
    }
    let mut out = Mixed::default();
    out.sized(&x).sized(point.y());
    out
}
