// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capability data (Part 2, "Capability Structures").
use crate::{
    Cc, Handle, List, PcrSelect, TpmAlgId, TpmCap, TpmPt, TpmaAct, TpmaAlgorithm, TpmaCc, TpmlPcrSelection,
    TpmsTaggedPcrSelect, TpmtHa, structure, union,
};

/// `MAX_CAP_BUFFER`: the size of capability data, with its selector and its count.
const MAX_CAP_DATA: usize = 1024 - 8;

structure! {
    /// An algorithm and what it is (`TPMS_ALG_PROPERTY`).
    #[derive(Copy, Default)]
    pub struct TpmsAlgProperty {
        /// The algorithm.
        pub alg: TpmAlgId,
        /// What it is.
        pub alg_properties: TpmaAlgorithm,
    }

    /// A property of the TPM (`TPMS_TAGGED_PROPERTY`).
    #[derive(Copy, Default)]
    pub struct TpmsTaggedProperty {
        /// The property.
        pub property: TpmPt,
        /// Its value.
        pub value: u32,
    }

    /// The policy of a permanent handle (`TPMS_TAGGED_POLICY`).
    #[derive(Copy, Default)]
    pub struct TpmsTaggedPolicy {
        /// The handle.
        pub handle: Handle,
        /// The policy.
        pub policy_hash: Option<TpmtHa>,
    }

    /// The state of a countdown timer (`TPMS_ACT_DATA`).
    #[derive(Copy, Default)]
    pub struct TpmsActData {
        /// The handle.
        pub handle: Handle,
        /// The seconds left.
        pub timeout: u32,
        /// The attributes.
        pub attributes: TpmaAct,
    }
}

union! {
    /// A capability and its values (`TPMS_CAPABILITY_DATA`).
    #[expect(clippy::large_enum_variant, reason = "a value of one response; nothing holds many of them")]
    pub enum TpmsCapabilityData by TpmCap {
        /// Algorithms.
        Algs(List<TpmsAlgProperty, { MAX_CAP_DATA / 6 }>),
        /// Handles.
        Handles(List<Handle, { MAX_CAP_DATA / 4 }>),
        /// Commands with their attributes.
        Commands(List<TpmaCc, { MAX_CAP_DATA / 4 }>),
        /// Commands that need physical presence.
        PpCommands(List<Cc, { MAX_CAP_DATA / 4 }>),
        /// Commands that are audited.
        AuditCommands(List<Cc, { MAX_CAP_DATA / 4 }>),
        /// The PCR banks.
        Pcrs(TpmlPcrSelection),
        /// Properties of the TPM.
        TpmProperties(List<TpmsTaggedProperty, { MAX_CAP_DATA / 8 }>),
        /// Properties of the PCRs.
        PcrProperties(List<TpmsTaggedPcrSelect, { MAX_CAP_DATA / (4 + 1 + PcrSelect::SIZE) }>),
        /// Elliptic curves.
        EccCurves(List<u16, { MAX_CAP_DATA / 2 }>),
        /// Policies of permanent handles.
        AuthPolicies(List<TpmsTaggedPolicy, { MAX_CAP_DATA / 70 }>),
        /// Countdown timers.
        Act(List<TpmsActData, { MAX_CAP_DATA / 12 }>),
    }
}
