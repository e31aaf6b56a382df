// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands that are measured, as bytes: nothing of a client is in the times.

use crate::fixture::{AK, DECRYPT, EXCHANGE, Fixture, HMAC, NV, RSA_AK, RSA_SIGN, SEALED, SIGN, STORAGE, SYMMETRIC};

/// What a command makes, and what must go before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    Nothing,
    /// The handle of an object or a session.
    Handle,
}

/// A command that is measured.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// How many times as long libtpms must take in process, where that is promised.
    pub(crate) bar: Option<f64>,
    /// Why our server may be slower than swtpm here.
    pub(crate) excuse: Option<&'static str>,
    pub(crate) makes: Makes,
    /// The bytes, which a number varies.
    pub(crate) bytes: fn(&Fixture, u32) -> Vec<u8>,
}

const fn row(name: &'static str, bytes: fn(&Fixture, u32) -> Vec<u8>) -> Measured {
    Measured { name, bar: None, excuse: None, makes: Makes::Nothing, bytes }
}

const fn maker(name: &'static str, bytes: fn(&Fixture, u32) -> Vec<u8>) -> Measured {
    Measured { makes: Makes::Handle, ..row(name, bytes) }
}

const fn barred(bar: f64, measured: Measured) -> Measured {
    Measured { bar: Some(bar), ..measured }
}

const fn excused(reason: &'static str, measured: Measured) -> Measured {
    Measured { excuse: Some(reason), ..measured }
}

/// Figure 4's commands first, with their bars; then everything else that a guest commonly sends.
pub(crate) const MEASURED: &[Measured] = &[
    barred(1.0, row("PCR_Read 8 x sha256", |_, _| plain(0x17E, &[&[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0]]))),
    barred(1.0, row("PCR_Extend sha256", pcr_extend)),
    barred(4.0, row("Quote P-256", |_, number| quote(AK, number))),
    barred(4.0, maker("CreatePrimary P-256", |_, number| create_primary(&unique_storage(number)))),
    row("Quote RSA-2048", |_, number| quote(RSA_AK, number)),
    row("Create P-256", |_, _| create(&[], ECC_SIGN)),
    row("Create sealed 32 B", |_, number| create(&[number.to_be_bytes(); 8].concat(), KEYED_DATA)),
    maker("Load sealed", |fixture, _| load(&fixture.sealed)),
    maker("Load P-256", |fixture, _| load(&fixture.child)),
    maker("LoadExternal P-256", |fixture, _| plain(0x167, &[&[0, 0], &fixture.public, &NULL])),
    row("ReadPublic", |_, _| plain(0x173, &[&AK])),
    row("Unseal", |_, _| authorized(0x15E, &SEALED, &[])),
    row("Sign P-256", |_, number| sign(SIGN, number)),
    row("Sign RSA-2048", |_, number| sign(RSA_SIGN, number)),
    row("VerifySignature P-256", |fixture, _| verify(SIGN, &fixture.signature)),
    row("VerifySignature RSA-2048", |fixture, _| verify(RSA_SIGN, &fixture.rsa_signature)),
    row("RSA_Encrypt OAEP", |_, number| rsa_encrypt(number)),
    row("RSA_Decrypt OAEP", |fixture, _| authorized(0x159, &DECRYPT, &[&fixture.cipher, &[0, 0x10, 0, 0]])),
    row("ECDH_KeyGen", |_, _| plain(0x163, &[&EXCHANGE])),
    row("ECDH_ZGen", |fixture, _| authorized(0x154, &EXCHANGE, &[&fixture.point])),
    row("MakeCredential P-256", make_credential),
    row("GetRandom 32 B", |_, _| plain(0x17B, &[&[0, 32]])),
    excused(
        "96 samples of noise, each tested, stand behind a new seed",
        row("StirRandom", |_, number| plain(0x146, &[&[0, 4], &number.to_be_bytes()])),
    ),
    row("GetCapability", |_, _| plain(0x17A, &[&[0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0, 32]])),
    row("GetTestResult", |_, _| plain(0x17C, &[])),
    row("TestParms RSA-2048", |_, _| plain(0x18A, &[&[0, 1, 0, 0x10, 0, 0x10, 8, 0, 0, 0, 0, 0]])),
    row("ReadClock", |_, _| plain(0x181, &[])),
    row("Hash 1 KiB sha256", |_, _| plain(0x17D, &[&[4, 0], &[0x5A; 1024], &[0, 0x0B], &NULL])),
    row("HMAC 1 KiB sha256", |_, _| authorized(0x155, &HMAC, &[&[4, 0], &[0x5A; 1024], &[0, 0x0B]])),
    row("EncryptDecrypt2 1 KiB", encrypt),
    maker("HashSequenceStart", |_, _| plain(0x186, &[&[0, 0, 0, 0x0B]])),
    row("NV_Write 1 KiB", nv_write),
    row("NV_Read 1 KiB", |_, _| authorized(0x14E, &[NV, NV].concat(), &[&[4, 0, 0, 0]])),
    row("NV_ReadPublic", |_, _| plain(0x169, &[&NV])),
    maker("StartAuthSession HMAC", |_, _| start_session(0)),
    maker("StartAuthSession policy", |_, _| start_session(1)),
    row("PolicyPCR", policy_pcr),
    row("PolicyGetDigest", |fixture, _| plain(0x189, &[&fixture.session])),
    row("ContextSave P-256", |_, _| plain(0x162, &[&AK])),
    maker("ContextLoad P-256", |fixture, _| plain(0x161, &[&fixture.context])),
];

/// `TPMT_PUBLIC` of a P-256 storage key: what its unique's x begins with is left open.
const ECC_STORAGE_HEAD: &[u8] = &[0, 0x23, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10];
/// The same of an attestation key, whole.
pub(crate) const ECC_ATTESTATION: &[u8] =
    &[0, 0x23, 0, 0x0B, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0B, 0, 3, 0, 0x10, 0, 0, 0, 0];
/// Of a key that signs whatever it is given.
pub(crate) const ECC_SIGN: &[u8] =
    &[0, 0x23, 0, 0x0B, 0, 4, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0B, 0, 3, 0, 0x10, 0, 0, 0, 0];
/// Of a key that agrees on secrets.
pub(crate) const ECC_EXCHANGE: &[u8] =
    &[0, 0x23, 0, 0x0B, 0, 2, 4, 0x72, 0, 0, 0, 0x10, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0];
/// The same three with RSA-2048: PKCS #1 signatures, and OAEP.
pub(crate) const RSA_ATTESTATION: &[u8] =
    &[0, 1, 0, 0x0B, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0B, 8, 0, 0, 0, 0, 0, 0, 0];
pub(crate) const RSA_SIGNING: &[u8] =
    &[0, 1, 0, 0x0B, 0, 4, 4, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0B, 8, 0, 0, 0, 0, 0, 0, 0];
pub(crate) const RSA_DECRYPTION: &[u8] =
    &[0, 1, 0, 0x0B, 0, 2, 4, 0x72, 0, 0, 0, 0x10, 0, 0x17, 0, 0x0B, 8, 0, 0, 0, 0, 0, 0, 0];
/// Of an RSA-2048 storage key, up to unique.
const RSA_STORAGE_HEAD: &[u8] = &[0, 1, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0];
/// Of a key for HMAC, of sealed data, and of an AES-128 key.
pub(crate) const KEYED_HMAC: &[u8] = &[0, 8, 0, 0x0B, 0, 4, 4, 0x72, 0, 0, 0, 5, 0, 0x0B, 0, 0];
pub(crate) const KEYED_DATA: &[u8] = &[0, 8, 0, 0x0B, 0, 0, 4, 0x52, 0, 0, 0, 0x10, 0, 0];
pub(crate) const AES_128: &[u8] = &[0, 0x25, 0, 0x0B, 0, 6, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0];

const PASSWORD: &[u8] = &[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0];
const OWNER: [u8; 4] = [0x40, 0, 0, 1];
const NULL: [u8; 4] = [0x40, 0, 0, 7];

fn command(tag: u8, code: u32, parts: &[&[u8]]) -> Vec<u8> {
    let rest = parts.concat();
    let size = u32::try_from(10 + rest.len()).unwrap_or(u32::MAX);
    [&[0x80, tag][..], &size.to_be_bytes(), &code.to_be_bytes(), &rest].concat()
}

/// A command without sessions: handles and parameters.
pub(crate) fn plain(code: u32, parts: &[&[u8]]) -> Vec<u8> {
    command(1, code, parts)
}

/// A command with one empty password, for the first of its handles.
pub(crate) fn authorized(code: u32, handles: &[u8], parameters: &[&[u8]]) -> Vec<u8> {
    command(2, code, &[&[handles, PASSWORD], parameters].concat())
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes(), bytes].concat()
}

/// A digest that a number varies.
fn digest(number: u32) -> Vec<u8> {
    sized(&[number.to_be_bytes(); 8].concat())
}

fn unique_storage(number: u32) -> Vec<u8> {
    [ECC_STORAGE_HEAD, &[0, 4], &number.to_be_bytes(), &[0, 0]].concat()
}

/// The template of the storage key that the others lie under.
pub(crate) fn storage() -> Vec<u8> {
    [ECC_STORAGE_HEAD, &[0, 0, 0, 0]].concat()
}

/// The creation of an RSA-2048 storage key, another one for each number.
pub(crate) fn create_rsa(number: u32) -> Vec<u8> {
    create_primary(&[RSA_STORAGE_HEAD, &[0, 4], &number.to_be_bytes()].concat())
}

pub(crate) fn create_primary(public: &[u8]) -> Vec<u8> {
    authorized(0x131, &OWNER, &[&[0, 4, 0, 0, 0, 0], &sized(public), &[0; 6]])
}

pub(crate) fn create(data: &[u8], public: &[u8]) -> Vec<u8> {
    let sensitive = sized(&[&[0, 0], &sized(data)[..]].concat());
    authorized(0x153, &STORAGE, &[&sensitive, &sized(public), &[0; 6]])
}

pub(crate) fn load(private_and_public: &[u8]) -> Vec<u8> {
    authorized(0x157, &STORAGE, &[private_and_public])
}

/// Keeps an object under a persistent handle.
pub(crate) fn evict(object: &[u8], persistent: [u8; 4]) -> Vec<u8> {
    authorized(0x120, &[&OWNER, object].concat(), &[&persistent])
}

/// Defines [`NV`] with 1 KiB: the owner and whoever has its empty authValue read and write.
pub(crate) fn nv_define() -> Vec<u8> {
    let public = sized(&[&NV[..], &[0, 0x0B, 2, 6, 0, 6, 0, 0, 4, 0]].concat());
    authorized(0x12A, &OWNER, &[&[0, 0], &public])
}

pub(crate) fn nv_write(_: &Fixture, number: u32) -> Vec<u8> {
    authorized(0x137, &[NV, NV].concat(), &[&[4, 0], &[number.to_be_bytes(); 256].concat(), &[0, 0]])
}

fn pcr_extend(_: &Fixture, number: u32) -> Vec<u8> {
    let value = [number.to_be_bytes(); 8].concat();
    authorized(0x182, &[0, 0, 0, 16], &[&[0, 0, 0, 1, 0, 0x0B], &value])
}

fn quote(key: [u8; 4], number: u32) -> Vec<u8> {
    authorized(0x158, &key, &[&digest(number), &[0, 0x10, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0, 7]])
}

pub(crate) fn sign(key: [u8; 4], number: u32) -> Vec<u8> {
    authorized(0x15D, &key, &[&digest(number), &[0, 0x10, 0x80, 0x24], &NULL, &[0, 0]])
}

/// Verifies what [`sign`] makes of the number 0.
fn verify(key: [u8; 4], signature: &[u8]) -> Vec<u8> {
    plain(0x177, &[&key, &digest(0), signature])
}

pub(crate) fn rsa_encrypt(number: u32) -> Vec<u8> {
    plain(0x174, &[&DECRYPT, &digest(number), &[0, 0x10, 0, 0]])
}

fn make_credential(_: &Fixture, number: u32) -> Vec<u8> {
    let name = sized(&[&[0, 0x0B][..], &[0x77; 32]].concat());
    plain(0x168, &[&STORAGE, &digest(number), &name])
}

fn encrypt(_: &Fixture, _: u32) -> Vec<u8> {
    let iv = sized(&[1; 16]);
    authorized(0x193, &SYMMETRIC, &[&[4, 0], &[0x5A; 1024], &[0, 0, 0x10], &iv])
}

/// An unsalted, unbound session of this kind.
pub(crate) fn start_session(kind: u8) -> Vec<u8> {
    plain(0x176, &[&NULL, &NULL, &sized(&[3; 16]), &[0, 0, kind, 0, 0x10, 0, 0x0B]])
}

fn policy_pcr(fixture: &Fixture, _: u32) -> Vec<u8> {
    plain(0x17F, &[&fixture.session, &[0, 0, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0, 7]])
}

pub(crate) fn flush(handle: &[u8]) -> Vec<u8> {
    plain(0x165, &[handle])
}

pub(crate) fn startup() -> Vec<u8> {
    plain(0x144, &[&[0, 0]])
}
