// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The trustworthiness vector (draft-ietf-rats-ar4si, "Trustworthiness Claims").

use serde::{Deserialize, Serialize};

/// A value of one trustworthiness claim, −128 to 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrustClaim(pub i8);

/// What a claim's value amounts to ("Trustworthiness Tiers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Nothing can be said.
    None,
    /// The verifier affirms the attester's trustworthiness.
    Affirming,
    /// The verifier warns about it.
    Warning,
    /// The verifier rejects it.
    Contraindicated,
}

impl Tier {
    /// Names the tier as `ear.status` does.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }
}

impl TrustClaim {
    /// No claim is made.
    pub const NONE: Self = Self(0);
    /// What is genuine, approved, encrypted: each claim's best value.
    pub const BEST: Self = Self(2);
    /// `executables`: only files of the boot are approved ("approved-boot").
    pub const APPROVED_BOOT: Self = Self(3);
    /// `hardware`, `configuration` and others: known, but with a flaw ("unsafe").
    pub const UNSAFE: Self = Self(32);
    /// Rejected for what it is known to be.
    pub const CONTRAINDICATED: Self = Self(96);
    /// `instance-identity` and `hardware`: it is not recognised.
    pub const UNRECOGNIZED: Self = Self(97);
    /// `runtime-opaque`: memory is visible to others.
    pub const VISIBLE: Self = Self(96);
    /// Cryptographic validation failed.
    pub const CRYPTO_FAILED: Self = Self(99);

    /// Returns the tier of the value: 2 to 31 affirm, 32 to 95 warn, 96 to 127 reject; negative values mirror them.
    pub const fn tier(self) -> Tier {
        match self.0 {
            -1..=1 => Tier::None,
            2..=31 | -32..=-2 => Tier::Affirming,
            32..=95 | -96..=-33 => Tier::Warning,
            96..=127 | -128..=-97 => Tier::Contraindicated,
        }
    }

    /// Takes the worse of two values: the higher tier, and within a tier the higher value.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        core::cmp::max_by_key(self, other, |claim| (claim.tier(), claim.0))
    }
}

/// The eight claims; serialised under the names of the draft, claims without a value left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrustVector {
    /// Whether this very instance is recognised.
    #[serde(default, skip_serializing_if = "is_none")]
    pub instance_identity: TrustClaim,
    /// Whether its configuration is approved.
    #[serde(default, skip_serializing_if = "is_none")]
    pub configuration: TrustClaim,
    /// Whether what it runs is approved.
    #[serde(default, skip_serializing_if = "is_none")]
    pub executables: TrustClaim,
    /// Whether its file system is approved.
    #[serde(default, skip_serializing_if = "is_none")]
    pub file_system: TrustClaim,
    /// Whether its hardware and firmware are genuine and up to date.
    #[serde(default, skip_serializing_if = "is_none")]
    pub hardware: TrustClaim,
    /// Whether its memory is hidden from others.
    #[serde(default, skip_serializing_if = "is_none")]
    pub runtime_opaque: TrustClaim,
    /// Whether its storage is hidden from others.
    #[serde(default, skip_serializing_if = "is_none")]
    pub storage_opaque: TrustClaim,
    /// Whether the data that it was given are trustworthy.
    #[serde(default, skip_serializing_if = "is_none")]
    pub sourced_data: TrustClaim,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_none(claim: &TrustClaim) -> bool {
    *claim == TrustClaim::NONE
}

impl TrustVector {
    /// No claim is made about anything.
    pub const NONE: Self = Self {
        instance_identity: TrustClaim::NONE,
        configuration: TrustClaim::NONE,
        executables: TrustClaim::NONE,
        file_system: TrustClaim::NONE,
        hardware: TrustClaim::NONE,
        runtime_opaque: TrustClaim::NONE,
        storage_opaque: TrustClaim::NONE,
        sourced_data: TrustClaim::NONE,
    };

    /// Returns the claims in the draft's order.
    pub const fn claims(&self) -> [TrustClaim; 8] {
        [
            self.instance_identity,
            self.configuration,
            self.executables,
            self.file_system,
            self.hardware,
            self.runtime_opaque,
            self.storage_opaque,
            self.sourced_data,
        ]
    }

    /// Returns the worst tier among the claims that are made.
    pub fn tier(&self) -> Tier {
        self.claims().into_iter().map(TrustClaim::tier).max().unwrap_or(Tier::None)
    }

    /// Takes, claim by claim, the worse value.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        Self {
            instance_identity: self.instance_identity.worse(other.instance_identity),
            configuration: self.configuration.worse(other.configuration),
            executables: self.executables.worse(other.executables),
            file_system: self.file_system.worse(other.file_system),
            hardware: self.hardware.worse(other.hardware),
            runtime_opaque: self.runtime_opaque.worse(other.runtime_opaque),
            storage_opaque: self.storage_opaque.worse(other.storage_opaque),
            sourced_data: self.sourced_data.worse(other.sourced_data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_have_the_drafts_bounds() {
        let bounds = [
            (0, Tier::None),
            (1, Tier::None),
            (-1, Tier::None),
            (2, Tier::Affirming),
            (31, Tier::Affirming),
            (32, Tier::Warning),
            (95, Tier::Warning),
            (96, Tier::Contraindicated),
            (127, Tier::Contraindicated),
            (-2, Tier::Affirming),
            (-33, Tier::Warning),
            (-97, Tier::Contraindicated),
            (-128, Tier::Contraindicated),
        ];
        for (value, tier) in bounds {
            assert_eq!(TrustClaim(value).tier(), tier, "{value}");
        }
    }

    #[test]
    fn the_worst_claim_decides_the_vectors_tier() {
        let good = TrustVector { hardware: TrustClaim::BEST, ..TrustVector::default() };
        let bad = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() };
        assert_eq!(good.tier(), Tier::Affirming);
        assert_eq!(good.worse(bad).tier(), Tier::Contraindicated);
        assert_eq!(TrustVector::default().tier(), Tier::None);
    }

    #[test]
    fn claims_that_are_not_made_are_not_written() {
        let vector = TrustVector { hardware: TrustClaim::BEST, ..TrustVector::default() };
        assert_eq!(serde_json::to_string(&vector).unwrap(), r#"{"hardware":2}"#);
    }
}
