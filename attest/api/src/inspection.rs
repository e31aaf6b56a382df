// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an operator looks at: the fleet page by page, one machine's chain link by link, its logs, and what a changed policy
//! would do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApiFinding, MachineSummary};

/// Who asks, as the verifier knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The name that the audit log has.
    pub name: String,
    /// What they may do.
    pub roles: Vec<String>,
}

/// Opens a session of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// An administrator's token.
    pub token: String,
}

/// A part of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetPage {
    /// How many machines are in each state, whatever was asked for.
    pub states: FleetStates,
    /// How many machines are what was asked for.
    pub matching: u64,
    /// Those of them from `offset` on.
    pub machines: Vec<MachineSummary>,
}

/// Machines by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetStates {
    /// All of them.
    pub all: u64,
    /// Healthy ones.
    pub healthy: u64,
    /// Failed ones.
    pub failed: u64,
    /// Stale ones.
    pub stale: u64,
    /// Unreachable ones.
    pub unreachable: u64,
    /// Those of which nothing is known.
    pub unknown: u64,
}

/// What a report says of the platform below a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformSummary {
    /// The processor line.
    pub product: String,
    /// The components of the reported TCB.
    pub tcb: Vec<TcbComponent>,
}

/// One component of a platform's TCB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TcbComponent {
    /// `bootloader`, `tee`, `snp`, `microcode`, `fmc`.
    pub name: String,
    /// The level that the report states.
    pub level: u8,
    /// The lowest one that the machine's policy allows; absent where it has no floor for the processor line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<u8>,
}

/// One machine's evidence, link by link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineChain {
    /// The machine.
    #[serde(flatten)]
    pub machine: MachineSummary,
    /// The number of the boot that the links are of; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u64>,
    /// From the root of trust to the running system.
    pub links: Vec<ChainLink>,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// It was verified, and nothing is held against it.
    Good,
    /// It was verified, and there is something to know; or the policy asks for what it does not say.
    Warning,
    /// It contradicts the policy, or does not verify.
    Bad,
    /// It was not judged.
    Open,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainLink {
    /// `root`, `vcek`, `report`, `paravisor`, `ek-certificate`, `ek`, `ak`, `quote`, `boot-log` or `ima`.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// What it is in this machine, in a few words.
    pub subject: String,
    /// How it stands.
    pub state: LinkState,
    /// Why, in a sentence.
    pub reason: String,
    /// What the last appraisal found about it.
    pub findings: Vec<ApiFinding>,
    /// What it says, decoded.
    pub fields: Vec<LinkField>,
    /// The bytes that it is read from.
    pub bytes: Vec<LinkBytes>,
}

/// A decoded field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkField {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What to know about the value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Bytes of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkBytes {
    /// What they are.
    pub name: String,
    /// How many there are.
    pub size: u64,
    /// The first of them, in hexadecimal.
    pub hex: String,
}

/// A boot's event log by register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootLogPage {
    /// The log's format; empty where there is no log.
    pub format: String,
    /// Why there is none, or why it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The registers in rising order.
    pub registers: Vec<BootLogRegister>,
}

/// One register with the events that extend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootLogRegister {
    /// Its number.
    pub register: String,
    /// What it holds after the log, in hexadecimal: in SHA-256, or the strongest bank where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<String>,
    /// Its events in order.
    pub events: Vec<BootLogEvent>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootLogEvent {
    /// Its number in the log.
    pub number: u64,
    /// Its type.
    pub kind: String,
    /// What its data mean.
    pub text: String,
    /// `hashed`: the digest is that of the data; `claimed`: the data are the log's word; `not extended`.
    pub data_is: String,
    /// Digests as `algorithm:digits`.
    pub digests: Vec<String>,
    /// The first of its data, in hexadecimal.
    pub data: String,
    /// How many bytes there are.
    pub size: u64,
}

/// A part of a machine's IMA list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImaPage {
    /// Entries that are kept.
    pub kept: u64,
    /// How many of them are what was asked for.
    pub matching: u64,
    /// What is not kept, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Those of them from `offset` on.
    pub entries: Vec<ImaEntry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImaEntry {
    /// Its number in the list, from 0.
    pub number: u64,
    /// The file.
    pub path: String,
    /// Its digest, as `algorithm:digits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The template.
    pub template: String,
    /// The key that its signature names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// `consistent`, `violation` or `wrong template hash`.
    pub entry_is: String,
    /// What the last appraisal found about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<ApiFinding>,
}

/// Files that a policy is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The files.
    pub files: Vec<AcceptedFile>,
    /// Only tell what it would do.
    #[serde(default)]
    pub dry_run: bool,
}

/// A file with one digest that it may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedFile {
    /// The path.
    pub path: String,
    /// The digest, as `algorithm:digits`.
    pub digest: String,
}

/// What a changed policy does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEffect {
    /// The policy's name.
    pub policy: String,
    /// What identifies its new content.
    pub id: String,
    /// Whether it was changed.
    pub changed: bool,
    /// Machines whose kept evidence was judged again.
    pub judged: u64,
    /// Machines that have the policy and no kept evidence that could be judged.
    pub not_judged: u64,
    /// The machines whose verdict becomes another one.
    pub changes: Vec<VerdictChange>,
}

/// A machine whose verdict becomes another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictChange {
    /// The machine.
    pub machine: String,
    /// The verdict by the policy as it is.
    pub from: String,
    /// The verdict by the changed one.
    pub to: String,
    /// The worst finding by the changed one; empty without any.
    pub reason: String,
}
