// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of ARCHITECTURE, "Who may not depend on what", as data: one row for each package.

/// The layer of testing, fuzz and xtask: they use everything, and no one uses them.
pub(super) const TOP: u8 = 9;
/// What tests of several crates share.
pub(super) const TEST_SUPPORT: &str = "evtpm-testing-support";

/// One row: a package, and what it may use.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) package: &'static str,
    pub(super) layer: u8,
    pub(super) no_std: bool,
    /// Our own packages that it may use.
    pub(super) below: &'static [&'static str],
    /// Outside crates that it may use.
    pub(super) external: External,
    /// Paths that its production code may not name.
    pub(super) never: &'static [&'static str],
}

/// Outside crates, by group.
#[derive(Clone, Copy, Debug)]
pub(super) enum External {
    Only(&'static [&'static [&'static str]]),
    Anything,
}

const WIRE: &str = "evtpm-tpm-wire";
const LAYOUT_CRATE: &str = "evtpm-layout";
const SNP: &str = "evtpm-snp";
const SVSM_ABI: &str = "evtpm-svsm-abi";
const EVIDENCE_FORMATS: &str = "evtpm-evidence";
const LOGS: &str = "evtpm-logs";
const CRYPTO: &str = "evtpm-crypto";
const PROTOCOL: &str = "evtpm-protocol";
const ENGINE: &str = "evtpm-engine";
const IMAGE: &str = "evtpm-image";
const CLIENT: &str = "evtpm-client";
const SVSM: &str = "evtpm-svsm";
const SP_SIM: &str = "evtpm-sp-sim";
const ROOTS: &str = "evtpm-roots";
const API: &str = "evtpm-api";
const KEYLIME: &str = "evtpm-keylime";
const MEASURE: &str = "evtpm-measure";
const VERIFY: &str = "evtpm-verify";
const APPRAISE: &str = "evtpm-appraise";
const RESULT: &str = "evtpm-result";
const DESCRIBE: &str = "evtpm-describe";
const LOG: &str = "evtpm-log";
const IO: &str = "evtpm-io";
const TPMD: &str = "evtpm-tpmd";
const SP_SIMD: &str = "evtpm-sp-simd";
const VERIFIERD: &str = "evtpm-verifierd";
const AGENT: &str = "evtpm-agent";
const FLEET: &str = "evtpm-fleet";

/// Everything that a service may use.
const BELOW_SERVICES: &[&str] = &[
    WIRE,
    SNP,
    SVSM_ABI,
    EVIDENCE_FORMATS,
    LOGS,
    CRYPTO,
    PROTOCOL,
    ENGINE,
    IMAGE,
    CLIENT,
    SVSM,
    SP_SIM,
    ROOTS,
    API,
    KEYLIME,
    MEASURE,
    VERIFY,
    APPRAISE,
    RESULT,
    DESCRIBE,
    LOG,
    IO,
];
/// Simulated machines are agents on our TPMs and chips.
const BELOW_FLEET: &[&str] = &[
    WIRE, SNP, LOGS, CRYPTO, PROTOCOL, ENGINE, CLIENT, SVSM, SP_SIM, API, KEYLIME, MEASURE, VERIFY, APPRAISE, TPMD,
    SP_SIMD, AGENT,
];
/// The command line starts the services, so it may use them too.
const BELOW_CLI: &[&str] = &[
    WIRE,
    SNP,
    SVSM_ABI,
    EVIDENCE_FORMATS,
    LOGS,
    CRYPTO,
    PROTOCOL,
    ENGINE,
    IMAGE,
    CLIENT,
    SVSM,
    SP_SIM,
    ROOTS,
    API,
    KEYLIME,
    MEASURE,
    VERIFY,
    APPRAISE,
    RESULT,
    DESCRIBE,
    LOG,
    IO,
    TPMD,
    SP_SIMD,
    VERIFIERD,
    AGENT,
    FLEET,
];

/// Memory that is wiped on drop, and comparisons that take equal time: they need what `forbid(unsafe_code)` takes from us.
const SECRETS: &[&str] = &["zeroize", "subtle"];
/// Hexadecimal constants, checked by the compiler.
const LITERALS: &[&str] = &["hex-literal"];
const LAYOUT: &[&str] = &["zerocopy"];
const TYPED: &[&str] = &["serde", "serde_json", "schemars", "ciborium", "hex", "base64", "toml"];
const CBOR: &[&str] = &["minicbor"];
/// Reads XML and keeps where names stand in it, which canonical forms need.
const XML: &[&str] = &["roxmltree"];
const DER: &[&str] = &["der", "x509-cert", "const-oid", "spki"];
const RUST_CRYPTO: &[&str] = &[
    "sha1",
    "sha2",
    "sha3",
    "hmac",
    "digest",
    "aes",
    "aes-gcm",
    "ctr",
    "cbc",
    "cfb-mode",
    "ofb",
    "cipher",
    "elliptic-curve",
    "ecdsa",
    "primefield",
    "primeorder",
    "k256",
    "p256",
    "p384",
    "p521",
    "curve25519-dalek",
    "ml-kem",
    "ml-dsa",
    "keccak",
    "rand_core",
    "rfc6979",
    "crypto-bigint",
    "signature",
];
const EVIDENCE: &[&str] = &["cms", "dcap-qvl", "coset", "ciborium", "sm2", "sm3"];

const NO_STD_NEVER: &[&str] = &["std"];
/// "std::net, std::fs, async, clock, untyped JSON values": what verification would have to trust beside its arguments.
const VERIFY_NEVER: &[&str] =
    &["std::net", "std::fs", "std::env", "std::time", "std::thread", "std::process", "serde_json::Value", "tokio"];
/// Appraisal may write JSON of any shape (claims for other engines, two policies side by side); what it reads is typed.
const APPRAISE_NEVER: &[&str] =
    &["std::net", "std::fs", "std::env", "std::time", "std::thread", "std::process", "tokio"];

/// The house, from the ground up.
pub(super) const HOUSE: &[Room] = &[
    Room {
        package: WIRE,
        layer: 0,
        no_std: true,
        below: &[],
        external: External::Only(&[SECRETS]),
        never: NO_STD_NEVER,
    },
    Room {
        package: LAYOUT_CRATE,
        layer: 0,
        no_std: true,
        below: &[],
        external: External::Only(&[LAYOUT]),
        never: NO_STD_NEVER,
    },
    Room {
        package: SNP,
        layer: 0,
        no_std: true,
        below: &[LAYOUT_CRATE],
        external: External::Only(&[LAYOUT, SECRETS]),
        never: NO_STD_NEVER,
    },
    Room {
        package: SVSM_ABI,
        layer: 0,
        no_std: true,
        below: &[LAYOUT_CRATE],
        external: External::Only(&[LAYOUT]),
        never: NO_STD_NEVER,
    },
    Room {
        package: EVIDENCE_FORMATS,
        layer: 0,
        no_std: true,
        below: &[WIRE, SNP, SVSM_ABI],
        external: External::Only(&[TYPED, CBOR, XML, DER]),
        never: &["std", "serde_json::Value"],
    },
    Room {
        package: LOGS,
        layer: 0,
        no_std: true,
        below: &[LAYOUT_CRATE, WIRE, SNP, SVSM_ABI],
        external: External::Only(&[TYPED, CBOR, DER]),
        never: &["std", "serde_json::Value"],
    },
    Room {
        package: CRYPTO,
        layer: 0,
        no_std: true,
        below: &[],
        external: External::Only(&[RUST_CRYPTO, SECRETS]),
        never: NO_STD_NEVER,
    },
    Room {
        package: ROOTS,
        layer: 0,
        no_std: false,
        below: &[],
        external: External::Only(&[DER]),
        never: &["std::fs", "std::net"],
    },
    Room {
        package: API,
        layer: 0,
        no_std: false,
        below: &[],
        external: External::Only(&[TYPED]),
        never: &["std::fs", "std::net", "serde_json::Value"],
    },
    Room {
        package: KEYLIME,
        layer: 0,
        no_std: false,
        below: &[],
        external: External::Only(&[TYPED]),
        never: &["std::fs", "std::net", "serde_json::Value"],
    },
    Room {
        package: PROTOCOL,
        layer: 1,
        no_std: true,
        below: &[WIRE, CRYPTO],
        external: External::Only(&[SECRETS, LITERALS]),
        never: NO_STD_NEVER,
    },
    Room {
        package: ENGINE,
        layer: 1,
        no_std: true,
        below: &[WIRE, CRYPTO, PROTOCOL],
        external: External::Only(&[SECRETS]),
        never: &["std", "log", "core::time"],
    },
    Room {
        package: CLIENT,
        layer: 1,
        no_std: false,
        below: &[WIRE, CRYPTO, PROTOCOL],
        external: External::Only(&[SECRETS]),
        never: &[],
    },
    Room {
        package: MEASURE,
        layer: 1,
        no_std: false,
        below: &[LAYOUT_CRATE, SNP, CRYPTO],
        external: External::Only(&[SECRETS]),
        never: &["std::fs", "std::net"],
    },
    Room {
        package: VERIFY,
        layer: 1,
        no_std: false,
        below: &[WIRE, SNP, SVSM_ABI, EVIDENCE_FORMATS, LOGS, CRYPTO, PROTOCOL, ROOTS],
        external: External::Only(&[EVIDENCE, DER]),
        never: VERIFY_NEVER,
    },
    Room {
        package: IMAGE,
        layer: 2,
        no_std: true,
        below: &[ENGINE, CRYPTO, WIRE],
        external: External::Only(&[SECRETS]),
        never: NO_STD_NEVER,
    },
    Room {
        package: SVSM,
        layer: 2,
        no_std: true,
        below: &[ENGINE, PROTOCOL, CRYPTO, WIRE, SNP, SVSM_ABI],
        external: External::Only(&[SECRETS]),
        never: NO_STD_NEVER,
    },
    Room {
        package: SP_SIM,
        layer: 2,
        no_std: false,
        below: &[SNP, CRYPTO],
        external: External::Only(&[DER, SECRETS]),
        never: &["std::fs", "std::net"],
    },
    Room {
        package: APPRAISE,
        layer: 2,
        no_std: false,
        below: &[VERIFY, WIRE, SNP, LOGS, CRYPTO],
        external: External::Only(&[TYPED, &["regorus"]]),
        never: APPRAISE_NEVER,
    },
    Room {
        package: RESULT,
        layer: 2,
        no_std: false,
        below: &[APPRAISE, CRYPTO],
        external: External::Only(&[TYPED, SECRETS, &["coset"]]),
        never: &["std::fs", "std::net", "std::time"],
    },
    Room {
        package: DESCRIBE,
        layer: 2,
        no_std: false,
        below: &[VERIFY, PROTOCOL, WIRE, SNP, EVIDENCE_FORMATS, LOGS, CRYPTO],
        external: External::Only(&[TYPED]),
        never: &["std::fs", "std::net", "std::time"],
    },
    Room { package: LOG, layer: 2, no_std: false, below: &[], external: External::Anything, never: &["std::net"] },
    Room { package: IO, layer: 2, no_std: false, below: &[], external: External::Anything, never: &[] },
    Room { package: TPMD, layer: 3, no_std: false, below: BELOW_SERVICES, external: External::Anything, never: &[] },
    Room { package: SP_SIMD, layer: 3, no_std: false, below: BELOW_SERVICES, external: External::Anything, never: &[] },
    Room {
        package: VERIFIERD,
        layer: 3,
        no_std: false,
        below: BELOW_SERVICES,
        external: External::Anything,
        never: &[],
    },
    Room { package: AGENT, layer: 3, no_std: false, below: BELOW_SERVICES, external: External::Anything, never: &[] },
    Room { package: FLEET, layer: 3, no_std: false, below: BELOW_FLEET, external: External::Anything, never: &[] },
    Room { package: "evtpm", layer: 3, no_std: false, below: BELOW_CLI, external: External::Anything, never: &[] },
    Room { package: TEST_SUPPORT, layer: TOP, no_std: false, below: &[], external: External::Anything, never: &[] },
    Room {
        package: "evtpm-panic-probe",
        layer: TOP,
        no_std: false,
        below: &[],
        external: External::Anything,
        never: &[],
    },
    Room { package: "evtpm-heap", layer: TOP, no_std: false, below: &[], external: External::Anything, never: &[] },
    Room { package: "evtpm-size", layer: TOP, no_std: false, below: &[], external: External::Anything, never: &[] },
    Room {
        package: "evtpm-testing-foreign",
        layer: TOP,
        no_std: false,
        below: &[],
        external: External::Anything,
        never: &[],
    },
    Room {
        package: "evtpm-testing-differential",
        layer: TOP,
        no_std: false,
        below: &[],
        external: External::Anything,
        never: &[],
    },
    Room {
        package: "evtpm-fuzz-targets",
        layer: TOP,
        no_std: false,
        below: &[],
        external: External::Anything,
        never: &[],
    },
    Room {
        package: "evtpm-testing-cross",
        layer: TOP,
        no_std: false,
        below: &[],
        external: External::Anything,
        never: &[],
    },
    Room { package: "evtpm-vm", layer: TOP, no_std: false, below: &[], external: External::Anything, never: &[] },
    Room {
        package: "evtpm-vm-attacker",
        layer: TOP,
        no_std: false,
        below: &[],
        external: External::Anything,
        never: &[],
    },
    Room { package: "xtask", layer: TOP, no_std: false, below: &[], external: External::Anything, never: &[] },
];
