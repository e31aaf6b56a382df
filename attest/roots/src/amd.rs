// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The AMD root keys (ARK) of SEV-SNP, one per product line; where they come from is in `amd/PROVENANCE.md`.

use core::fmt;

/// A product line of AMD with a root key of its own.
///
/// Bergamo and Siena hang below the Genoa root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AmdProduct {
    /// Third generation EPYC (Zen 3).
    Milan,
    /// Fourth generation EPYC (Zen 4 and Zen 4c: Genoa, Bergamo, Siena).
    Genoa,
    /// Fifth generation EPYC (Zen 5).
    Turin,
}

impl AmdProduct {
    /// All product lines, oldest first.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// Names the product line as AMD's certificates do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// Finds the product line of a certificate's product name, which may carry a stepping ("Milan-B0").
    pub fn from_name(name: &str) -> Option<Self> {
        let line = name.split_once('-').map_or(name, |(line, _stepping)| line);
        Self::ALL.into_iter().find(|product| product.name() == line)
    }

    /// Returns the pinned root of the product line.
    pub const fn root(self) -> &'static AmdRoot {
        match self {
            Self::Milan => &AMD[0],
            Self::Genoa => &AMD[1],
            Self::Turin => &AMD[2],
        }
    }
}

impl fmt::Display for AmdProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A pinned root certificate and the intermediates below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmdRoot {
    /// The product line that the root stands for.
    pub product: AmdProduct,
    /// The self-signed ARK certificate, the anchor of trust.
    pub ark_pem: &'static str,
    /// SHA-256 of the ARK certificate's DER encoding.
    pub ark_sha256: [u8; 32],
    /// The ASK certificate, a hint for chains that lack it: it earns no trust by being here.
    pub ask_pem: &'static str,
    /// The ASVK certificate, which signs providers' keys: a hint like the ASK.
    pub asvk_pem: &'static str,
}

/// The pinned roots, in the order of [`AmdProduct::ALL`].
pub const AMD: [AmdRoot; 3] = [
    AmdRoot {
        product: AmdProduct::Milan,
        ark_pem: include_str!("../amd/ark-milan.pem"),
        ark_sha256: [
            0x69, 0xd0, 0x63, 0xb4, 0x53, 0x44, 0xd2, 0x6a, 0x2e, 0x94, 0xe1, 0xf4, 0x21, 0x0d, 0xe4, 0x9e, 0xf5, 0x55,
            0x30, 0x82, 0x87, 0xd4, 0xc1, 0x74, 0x44, 0x5c, 0x95, 0x63, 0x9a, 0x54, 0x0b, 0xcd,
        ],
        ask_pem: include_str!("../amd/ask-milan.pem"),
        asvk_pem: include_str!("../amd/asvk-milan.pem"),
    },
    AmdRoot {
        product: AmdProduct::Genoa,
        ark_pem: include_str!("../amd/ark-genoa.pem"),
        ark_sha256: [
            0x4c, 0x65, 0x98, 0xd1, 0x9c, 0x18, 0x71, 0x9c, 0x5d, 0xfd, 0x4a, 0x7d, 0x33, 0x5f, 0x67, 0x4e, 0x5b, 0xfe,
            0x1d, 0x8f, 0x80, 0x0c, 0xea, 0x2c, 0xf2, 0x70, 0xc1, 0x0d, 0x10, 0x3d, 0xb2, 0xf1,
        ],
        ask_pem: include_str!("../amd/ask-genoa.pem"),
        asvk_pem: include_str!("../amd/asvk-genoa.pem"),
    },
    AmdRoot {
        product: AmdProduct::Turin,
        ark_pem: include_str!("../amd/ark-turin.pem"),
        ark_sha256: [
            0x1f, 0x08, 0x41, 0x61, 0xa4, 0x4b, 0xb6, 0xd9, 0x37, 0x78, 0xa9, 0x04, 0x87, 0x7d, 0x48, 0x19, 0xca, 0xfa,
            0x5d, 0x05, 0xef, 0x41, 0x93, 0xb2, 0xde, 0xd9, 0xdd, 0x9c, 0x73, 0xdd, 0x3f, 0x6a,
        ],
        ask_pem: include_str!("../amd/ask-turin.pem"),
        asvk_pem: include_str!("../amd/asvk-turin.pem"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_finds_its_own_root() {
        for product in AmdProduct::ALL {
            assert_eq!(product.root().product, product);
            assert_eq!(AmdProduct::from_name(product.name()), Some(product));
        }
    }

    #[test]
    fn a_stepping_is_no_part_of_the_product_line() {
        assert_eq!(AmdProduct::from_name("Milan-B0"), Some(AmdProduct::Milan));
        assert_eq!(AmdProduct::from_name("Milano"), None);
        assert_eq!(AmdProduct::from_name(""), None);
    }

    #[test]
    fn no_two_roots_share_a_certificate() {
        assert!(AMD.iter().enumerate().all(|(index, root)| {
            AMD.iter().skip(index + 1).all(|other| other.ark_pem != root.ark_pem && other.ark_sha256 != root.ark_sha256)
        }));
    }
}
