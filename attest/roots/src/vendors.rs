// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The roots of other vendors, one certificate each; where they come from is in `vendors/PROVENANCE.md`.

/// A pinned root certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorRoot {
    /// The subject's common name.
    pub name: &'static str,
    /// The self-signed certificate.
    pub pem: &'static str,
    /// SHA-256 of the certificate's DER encoding.
    pub sha256: [u8; 32],
}

/// The root of every PCK certificate, and of the TCB information, for SGX and TDX.
pub const INTEL_SGX: VendorRoot = VendorRoot {
    name: "Intel SGX Root CA",
    pem: include_str!("../vendors/intel-sgx-root.pem"),
    sha256: [
        0x44, 0xa0, 0x19, 0x6b, 0x2b, 0x99, 0xf8, 0x89, 0xb8, 0xe1, 0x49, 0xe9, 0x5b, 0x80, 0x7a, 0x35, 0x0e, 0x74,
        0x24, 0x96, 0x43, 0x99, 0xe8, 0x85, 0xa7, 0xcb, 0xb8, 0xcc, 0xfa, 0xb6, 0x74, 0xd3,
    ],
};

/// The root of the attestation documents of Nitro enclaves.
pub const AWS_NITRO_G1: VendorRoot = VendorRoot {
    name: "aws.nitro-enclaves",
    pem: include_str!("../vendors/aws-nitro-enclaves-g1.pem"),
    sha256: [
        0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31, 0x7e, 0xd7,
        0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
    ],
};

/// The root of the device identities of GPUs and switches.
pub const NVIDIA_DEVICE: VendorRoot = VendorRoot {
    name: "NVIDIA Device Identity CA",
    pem: include_str!("../vendors/nvidia-device-identity.pem"),
    sha256: [
        0x10, 0x2b, 0xf6, 0x59, 0xd5, 0x41, 0x96, 0x14, 0xc9, 0xd8, 0xe6, 0xae, 0xce, 0xbc, 0x80, 0x45, 0x4e, 0xb2,
        0x6b, 0x1d, 0xf6, 0xa7, 0x69, 0xac, 0x72, 0x0b, 0x9a, 0x69, 0x0b, 0x16, 0x7b, 0x48,
    ],
};

/// The root of the keys that sign reference measurements.
pub const NVIDIA_RIM: VendorRoot = VendorRoot {
    name: "NVIDIA CoRIM signing Root CA",
    pem: include_str!("../vendors/nvidia-rim.pem"),
    sha256: [
        0x12, 0x97, 0x7b, 0x51, 0x15, 0xac, 0xb0, 0x38, 0x11, 0x79, 0x27, 0x9f, 0xff, 0xeb, 0x5a, 0x8c, 0x4d, 0x26,
        0x49, 0x71, 0xeb, 0xb3, 0x22, 0x98, 0x02, 0x3a, 0x46, 0x5f, 0xa4, 0x1d, 0xf5, 0xd1,
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_roots_are_the_same() {
        let all = [INTEL_SGX, AWS_NITRO_G1, NVIDIA_DEVICE, NVIDIA_RIM];
        for (n, root) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other.sha256 != root.sha256 && other.pem != root.pem));
        }
    }
}
