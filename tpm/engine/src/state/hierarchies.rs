// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The hierarchies (Part 1, "Hierarchies"): seeds, proofs, authorizations, and what switches them off.

use crate::snapshot::{self, Archive};
use evtpm_crypto::{Digest, EntropyError, Rng};
use evtpm_tpm_wire::{Handle, HashAlg, Secret};

/// An authValue, kept without trailing zeros.
pub(crate) type Auth = Secret<64>;

/// A Primary Seed or a proof value: 512 bits, the strength of the strongest hash.
pub(crate) type Seed = Secret<64>;

const SEED_SIZE: usize = 64;

/// One of the four hierarchies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// `TPM_RH_OWNER`: the storage hierarchy.
    Owner,
    /// `TPM_RH_NULL`: new at each TPM Reset.
    Null,
    /// `TPM_RH_ENDORSEMENT`.
    Endorsement,
    /// `TPM_RH_PLATFORM`.
    Platform,
}

impl Hierarchy {
    /// All four.
    pub(crate) const ALL: [Self; 4] = [Self::Owner, Self::Null, Self::Endorsement, Self::Platform];

    /// Finds the hierarchy of a permanent handle.
    pub(crate) const fn from_handle(handle: u32) -> Option<Self> {
        match Handle(handle) {
            Handle::OWNER => Some(Self::Owner),
            Handle::NULL => Some(Self::Null),
            Handle::ENDORSEMENT => Some(Self::Endorsement),
            Handle::PLATFORM => Some(Self::Platform),
            _ => None,
        }
    }
}

/// An authPolicy with the hash algorithm that computed it.
pub(crate) type AuthPolicy = Option<(HashAlg, Digest)>;

/// What each hierarchy has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HierarchyState {
    /// The Primary Seed.
    pub seed: Seed,
    /// The proof value.
    pub proof: Seed,
    /// The authValue.
    pub auth: Auth,
    /// The authPolicy.
    pub policy: AuthPolicy,
    /// phEnable, shEnable or ehEnable; the NULL hierarchy is never disabled.
    pub enabled: bool,
}

impl HierarchyState {
    const EMPTY: Self = Self { seed: Seed::EMPTY, proof: Seed::EMPTY, auth: Auth::EMPTY, policy: None, enabled: true };
}

impl HierarchyState {
    fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { seed, proof, auth, policy, enabled } = self;
        archive.pass(seed)?;
        archive.pass(proof)?;
        archive.pass(auth)?;
        pass_policy(archive, policy)?;
        snapshot::flag(archive, enabled)
    }
}

/// Passes an authPolicy.
pub(super) fn pass_policy<A: Archive>(archive: &mut A, policy: &mut AuthPolicy) -> Result<(), A::Error> {
    snapshot::option(archive, policy, (HashAlg::Sha256, Digest::EMPTY), |archive, (hash, digest)| {
        archive.pass(hash)?;
        snapshot::digest(archive, digest)
    })
}

/// All hierarchies and lockout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    owner: HierarchyState,
    null: HierarchyState,
    endorsement: HierarchyState,
    platform: HierarchyState,
    /// lockoutAuth.
    pub lockout_auth: Auth,
    /// lockoutPolicy.
    pub lockout_policy: AuthPolicy,
    /// phEnableNV: NV indices of the platform are accessible.
    pub platform_nv_enabled: bool,
    /// disableClear: lockoutAuth may not clear the TPM.
    pub clear_disabled: bool,
}

impl Hierarchies {
    /// Makes hierarchies without seeds.
    pub(crate) const EMPTY: Self = Self {
        owner: HierarchyState::EMPTY,
        null: HierarchyState::EMPTY,
        endorsement: HierarchyState::EMPTY,
        platform: HierarchyState::EMPTY,
        lockout_auth: Auth::EMPTY,
        lockout_policy: None,
        platform_nv_enabled: true,
        clear_disabled: false,
    };

    /// Gives each hierarchy a fresh seed and proof.
    pub(crate) fn manufacture(&mut self, rng: &mut dyn Rng) -> Result<(), EntropyError> {
        for hierarchy in Hierarchy::ALL {
            let (seed, proof) = (fresh(rng)?, fresh(rng)?);
            let state = self.of_mut(hierarchy);
            state.seed = seed;
            state.proof = proof;
        }
        Ok(())
    }

    /// Passes every hierarchy.
    pub(super) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { owner, null, endorsement, platform, .. } = self;
        for hierarchy in [owner, null, endorsement, platform] {
            hierarchy.pass(archive)?;
        }
        let Self { lockout_auth, lockout_policy, platform_nv_enabled, clear_disabled, .. } = self;
        archive.pass(lockout_auth)?;
        pass_policy(archive, lockout_policy)?;
        snapshot::flag(archive, platform_nv_enabled)?;
        snapshot::flag(archive, clear_disabled)
    }

    /// Borrows one hierarchy.
    pub(crate) const fn of(&self, hierarchy: Hierarchy) -> &HierarchyState {
        match hierarchy {
            Hierarchy::Owner => &self.owner,
            Hierarchy::Null => &self.null,
            Hierarchy::Endorsement => &self.endorsement,
            Hierarchy::Platform => &self.platform,
        }
    }

    /// Borrows one hierarchy to change it.
    pub(crate) const fn of_mut(&mut self, hierarchy: Hierarchy) -> &mut HierarchyState {
        match hierarchy {
            Hierarchy::Owner => &mut self.owner,
            Hierarchy::Null => &mut self.null,
            Hierarchy::Endorsement => &mut self.endorsement,
            Hierarchy::Platform => &mut self.platform,
        }
    }

    /// Does what every `TPM2_Startup` does: "phEnable shall be SET".
    pub(crate) fn startup(&mut self) {
        self.platform.enabled = true;
    }

    /// Does what Startup(CLEAR) does, TPM Reset and TPM Restart alike.
    pub(crate) fn startup_clear(&mut self) {
        self.platform.auth = Auth::EMPTY;
        self.platform.policy = None;
        self.platform_nv_enabled = true;
        self.owner.enabled = true;
        self.endorsement.enabled = true;
    }

    /// Does what TPM Reset does besides: "change nullProof and nullSeed".
    pub(crate) fn reset(&mut self, fresh: NullSecrets) {
        self.null.seed = fresh.seed;
        self.null.proof = fresh.proof;
    }
}

/// A nullSeed and nullProof that wait for the next TPM Reset.
#[derive(Debug)]
pub(crate) struct NullSecrets {
    seed: Seed,
    proof: Seed,
}

impl NullSecrets {
    /// Draws both.
    pub(crate) fn fresh(rng: &mut dyn Rng) -> Result<Self, EntropyError> {
        Ok(Self { seed: fresh(rng)?, proof: fresh(rng)? })
    }
}

/// Draws a seed or a proof.
pub(crate) fn fresh(rng: &mut dyn Rng) -> Result<Seed, EntropyError> {
    let mut seed = Seed::zeros(SEED_SIZE).unwrap_or_default();
    rng.fill(seed.as_mut_bytes())?;
    Ok(seed)
}
