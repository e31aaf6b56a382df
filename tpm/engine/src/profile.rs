// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What kind of TPM this is: algorithms, limits, names. A value, so that one process can hold different TPMs.

use crate::state::DaParameters;
use evtpm_crypto::{HashAlg, Offer};
use evtpm_tpm_wire::{AlgSet, CurveSet, EccCurve, KeyBits, Supported, TpmAlgId, TpmaMlParameterSet};

/// Everything in which TPMs of this engine differ.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Algorithms, key sizes and handle ranges.
    pub supported: Supported,
    /// Sizes and counts.
    pub limits: Limits,
    /// What the TPM says about itself.
    pub identity: Identity,
    /// The PCR banks, and which of them are allocated from the start.
    pub banks: &'static [(HashAlg, bool)],
    /// Dictionary-attack parameters of a new TPM.
    pub dictionary_attack: DaParameters,
}

/// Sizes and counts; memory for them is reserved when the TPM is made.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Transient objects and sequences.
    pub transient_objects: usize,
    /// Persistent objects.
    pub persistent_objects: usize,
    /// Sessions in memory.
    pub loaded_sessions: usize,
    /// Sessions in memory and in saved contexts.
    pub active_sessions: usize,
    /// The largest distance between the numbers of saved session contexts.
    pub context_gap: u32,
    /// NV indices.
    pub nv_indices: usize,
    /// Bytes of NV index data altogether.
    pub nv_bytes: usize,
    /// Bytes of data of one NV index.
    pub nv_index_bytes: u16,
    /// Largest command.
    pub command_size: usize,
    /// Largest response.
    pub response_size: usize,
}

/// What `TPM_CAP_TPM_PROPERTIES` says about the maker.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// `TPM_PT_MANUFACTURER`.
    pub manufacturer: [u8; 4],
    /// `TPM_PT_VENDOR_STRING_1` to `_4`.
    pub vendor_strings: [[u8; 4]; 4],
    /// `TPM_PT_FIRMWARE_VERSION_1` and `_2`.
    pub firmware_version: [u32; 2],
    /// `TPM_PT_REVISION`, the specification's version times 100.
    pub revision: u32,
    /// `TPM_PT_YEAR` and `TPM_PT_DAY_OF_YEAR` of the specification.
    pub published: (u32, u32),
    /// Family, level, revision, day and year of the platform specification.
    pub platform_specification: [u32; 5],
}

const ALGORITHMS: AlgSet = AlgSet::of(&[
    TpmAlgId::RSA,
    TpmAlgId::SHA1,
    TpmAlgId::HMAC,
    TpmAlgId::AES,
    TpmAlgId::MGF1,
    TpmAlgId::KEYEDHASH,
    TpmAlgId::XOR,
    TpmAlgId::SHA256,
    TpmAlgId::SHA384,
    TpmAlgId::SHA512,
    TpmAlgId::RSASSA,
    TpmAlgId::RSAES,
    TpmAlgId::RSAPSS,
    TpmAlgId::OAEP,
    TpmAlgId::ECDSA,
    TpmAlgId::ECDH,
    TpmAlgId::ECSCHNORR,
    TpmAlgId::KDF1_SP800_56A,
    TpmAlgId::KDF2,
    TpmAlgId::KDF1_SP800_108,
    TpmAlgId::ECC,
    TpmAlgId::SYMCIPHER,
    TpmAlgId::CMAC,
    TpmAlgId::CTR,
    TpmAlgId::OFB,
    TpmAlgId::CBC,
    TpmAlgId::CFB,
    TpmAlgId::ECB,
]);

/// What a TPM for all suites has besides: anonymous signatures with their curve. Not SHA-3: tpm2-tss 3.2.1 has no name for
/// it, tpm2-tools' scripts try every hash that a TPM announces, and Fapi_GetInfo fails where it cannot name one.
const MORE_ALGORITHMS: AlgSet = ALGORITHMS.with(TpmAlgId::ECDAA);

const CURVES: &[EccCurve] = &[EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521];
const MORE_CURVES: &[EccCurve] = &[EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256];

/// What a PC offers to many clients at once.
const ROOMY: Limits = Limits {
    transient_objects: 16,
    // As many RSA-2048 keys as libtpms has room for: swtpm's own tests make them.
    persistent_objects: 65,
    loaded_sessions: 16,
    active_sessions: 64,
    context_gap: 0xFFFF,
    nv_indices: 256,
    nv_bytes: 128 * 1024,
    // Other software TPMs have this size too, and tpm2_nvwrite 5.4 overwrites its own buffer where TPM_PT_NV_INDEX_MAX is larger.
    nv_index_bytes: 2048,
    command_size: 4096,
    response_size: 4096,
};

/// What a resource manager needs, such as Linux's: no command uses more than three objects or three sessions, and all
/// others wait in saved contexts.
const TIGHT: Limits = Limits {
    transient_objects: 3,
    persistent_objects: 8,
    loaded_sessions: 4,
    nv_indices: 32,
    nv_bytes: 32 * 1024,
    nv_index_bytes: 2048,
    ..ROOMY
};

impl Profile {
    /// A TPM for a confidential VM behind an SVSM, whose calls pass one page.
    pub const fn svsm() -> Self {
        Self {
            supported: supported(ALGORITHMS, CURVES, &TIGHT),
            limits: TIGHT,
            identity: Identity { vendor_strings: [*b"SVSM", *b"\0\0\0\0", *b"\0\0\0\0", *b"\0\0\0\0"], ..IDENTITY },
            banks: &[
                (HashAlg::Sha1, false),
                (HashAlg::Sha256, true),
                (HashAlg::Sha384, true),
                (HashAlg::Sha512, false),
            ],
            dictionary_attack: DICTIONARY_ATTACK,
        }
    }

    /// A TPM for any PC-like host, with every bank and the name that the world's test scripts know.
    pub const fn pc_client() -> Self {
        Self {
            supported: supported(MORE_ALGORITHMS, MORE_CURVES, &ROOMY),
            limits: ROOMY,
            identity: IDENTITY,
            banks: &[(HashAlg::Sha1, true), (HashAlg::Sha256, true), (HashAlg::Sha384, true), (HashAlg::Sha512, true)],
            dictionary_attack: DICTIONARY_ATTACK,
        }
    }

    /// A TPM whose keys quantum computers do not break: [`Self::pc_client`] with what version 185 added, and buffers for the
    /// greatest of its signatures.
    pub const fn pqc() -> Self {
        let base = Self::pc_client();
        Self {
            supported: Supported {
                algorithms: PQC_ALGORITHMS,
                curves: PQC_CURVES,
                ml_parameter_sets: TpmaMlParameterSet::ALL,
                ..base.supported
            },
            limits: Limits { command_size: PQC_BUFFER, response_size: PQC_BUFFER, ..base.limits },
            identity: Identity { revision: 185, published: (2026, 71), ..IDENTITY },
            ..base
        }
    }

    /// The same TPM behind a transport that carries commands and responses of so many bytes at most.
    ///
    /// What does not fit through it is not announced: a quote of ML-DSA-87 needs more than 4,096 bytes.
    #[must_use]
    pub const fn within(mut self, transport: usize) -> Self {
        if transport < self.limits.command_size {
            self.limits.command_size = transport;
        }
        if transport < self.limits.response_size {
            self.limits.response_size = transport;
        }
        if self.limits.response_size < MLDSA_87_QUOTE {
            let sets = self.supported.ml_parameter_sets;
            self.supported.ml_parameter_sets = sets.without(TpmaMlParameterSet::ML_DSA_87);
        }
        self
    }

    /// The same TPM over arithmetic that lacks something: what is not linked is not announced.
    #[must_use]
    pub const fn over(mut self, offer: Offer) -> Self {
        let supported = &mut self.supported;
        if !offer.bn_p256 {
            supported.curves = supported.curves.without(EccCurve::BnP256);
        }
        if !offer.curve25519 {
            supported.curves = supported.curves.without(EccCurve::Curve25519);
            supported.algorithms = supported.algorithms.without(TpmAlgId::EDDSA).without(TpmAlgId::HASH_EDDSA);
        }
        if !offer.lattices {
            supported.ml_parameter_sets = TpmaMlParameterSet::NONE;
            supported.algorithms =
                supported.algorithms.without(TpmAlgId::MLKEM).without(TpmAlgId::MLDSA).without(TpmAlgId::HASH_MLDSA);
        }
        self
    }
}

/// The size of the buffers of [`Profile::pqc`].
const PQC_BUFFER: usize = 8192;

/// The greatest of what surrounds the parameters of a response: header, size of the parameters, three sessions with nonces
/// and HMACs of SHA-512.
pub(crate) const RESPONSE_OVERHEAD: usize = 10 + 4 + 3 * (2 + 64 + 1 + 2 + 64);

/// Room for a quote over four banks signed with ML-DSA-87.
const MLDSA_87_QUOTE: usize = RESPONSE_OVERHEAD + 320 + 4627;

const PQC_ALGORITHMS: AlgSet = MORE_ALGORITHMS
    .with(TpmAlgId::SHA3_256)
    .with(TpmAlgId::SHA3_384)
    .with(TpmAlgId::SHA3_512)
    .with(TpmAlgId::HKDF)
    .with(TpmAlgId::SHAKE256_512)
    .with(TpmAlgId::EDDSA)
    .with(TpmAlgId::HASH_EDDSA)
    .with(TpmAlgId::MLKEM)
    .with(TpmAlgId::MLDSA)
    .with(TpmAlgId::HASH_MLDSA);

const PQC_CURVES: CurveSet =
    CurveSet::of(&[EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256, EccCurve::Curve25519]);

const fn supported(algorithms: AlgSet, curves: &[EccCurve], limits: &Limits) -> Supported {
    Supported {
        algorithms,
        curves: CurveSet::of(curves),
        aes_key_bits: KeyBits::of(&[128, 192, 256]),
        sm4_key_bits: KeyBits::EMPTY,
        camellia_key_bits: KeyBits::EMPTY,
        rsa_key_bits: KeyBits::of(&[1024, 2048, 3072, 4096]),
        ml_parameter_sets: TpmaMlParameterSet::NONE,
        transient_handles: handles(limits.transient_objects),
        session_handles: handles(limits.active_sessions),
        nv_index_size: limits.nv_index_bytes,
    }
}

/// Handles have 24 bits for the number.
#[expect(clippy::cast_possible_truncation, reason = "checked on the same line")]
const fn handles(count: usize) -> u32 {
    if count < 0x0100_0000 { count as u32 } else { 0x00FF_FFFF }
}

const IDENTITY: Identity = Identity {
    manufacturer: *b"EVTP",
    // tpm2-tools' scripts skip what a TPM lacks, instead of failing, unless it is called "SW  ".
    vendor_strings: [*b"SW  ", *b" TPM", *b"\0\0\0\0", *b"\0\0\0\0"],
    firmware_version: [0x0000_0001, 0x0000_0000],
    revision: 184,
    published: (2025, 79),
    // PC Client Platform TPM Profile, level 0, revision 1.06
    platform_specification: [1, 0, 106, 0, 0],
};

const DICTIONARY_ATTACK: DaParameters =
    DaParameters { max_tries: 32, recovery_seconds: 7_200, lockout_recovery_seconds: 86_400 };

#[cfg(test)]
mod tests;
