// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What administrators and the verifier exchange.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApiFinding, MachineState, PlatformSummary};

/// One machine as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineSummary {
    /// The machine's name.
    pub machine: String,
    /// `keylime` for an agent of Keylime; absent for a machine of the native API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// How it is.
    pub state: MachineState,
    /// Boots seen; of a TPM that outlives boots (`ek-certificate`, and `azure-hcl` where it is kept), registrations.
    pub boots: u64,
    /// What vouches for the keys of its present boot: `nv-report`, `svsm-v0`, `svsm-v1`, `azure-hcl` or `ek-certificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The launch measurement that the machine is pinned to, in hexadecimal; absent before it registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<String>,
    /// The platform below it, by its present boot's report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformSummary>,
    /// The policy of its own, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The last verdict's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verdict: Option<String>,
    /// Unix time of the last verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verdict_at: Option<u64>,
    /// Unix time of the last verdict that was `trusted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trusted_at: Option<u64>,
    /// Two live endorsement keys were seen for this machine.
    pub clone_alarm: bool,
    /// The reasons of the last verdict.
    pub findings: Vec<ApiFinding>,
}

/// What the operator says of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineRequest {
    /// The name of the policy that judges it; the default policy if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// One machine with its boots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineDetails {
    /// The machine.
    #[serde(flatten)]
    pub machine: MachineSummary,
    /// Its boots, newest first.
    pub history: Vec<BootSummary>,
}

/// One boot of a machine: one endorsement key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootSummary {
    /// The boot's number, from 1.
    pub boot: u64,
    /// Unix time of its registration.
    pub registered_at: u64,
    /// Unix time at which the next boot registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<u64>,
    /// TPM2B_PUBLIC of its endorsement key, in hexadecimal.
    pub ek_public: String,
    /// How it is, or was at last.
    pub state: MachineState,
    /// Verdicts so far.
    pub rounds: u64,
    /// Unix time of the last verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verdict_at: Option<u64>,
}

/// A named policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicySummary {
    /// Its name here; `default` is for machines that have none of their own.
    pub name: String,
    /// What identifies its content, as in results.
    pub id: String,
    /// The name that the document gives itself.
    pub about: String,
    /// Unix time of its last change.
    pub changed_at: u64,
}

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The name that the audit log will have.
    pub name: String,
    /// Some of `read`, `operate`, `policy`, `keys`.
    pub roles: Vec<String>,
}

/// A token that was made just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// The token; it cannot be shown again.
    pub token: String,
}

/// A token that was made before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenSummary {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// Unix time at which it was made.
    pub created_at: u64,
}

/// Something that happened, as it is told to listeners and to the webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Unix time.
    pub at: u64,
    /// The machine.
    pub machine: String,
    /// `registered`, `registration-refused`, `clone-alarm`, `key-released`, `key-refused`, `lease-ended`, or the state that the
    /// machine is in now: `trusted`, `untrusted`, `unknown`, `stale`, `unreachable`.
    pub event: String,
    /// The reason, for people.
    pub detail: String,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditLine {
    /// Its number, from 1.
    pub id: u64,
    /// Unix time.
    pub at: u64,
    /// The machine that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// What happened, in a word.
    pub event: String,
    /// The rest, for people.
    pub detail: String,
    /// What links it to the line before, in hexadecimal.
    pub hash: String,
}

/// How far the chain through the audit log holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainHead {
    /// The number of lines that hold.
    pub lines: u64,
    /// The hash of the last of them, in hexadecimal: whoever keeps it sees later whether the end was cut off.
    pub head: String,
    /// What is wrong with the next line, if one does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}
