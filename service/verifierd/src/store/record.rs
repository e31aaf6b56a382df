// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rows that go into a store and come out of it.

use evtpm_verify::tpm::Clock;

/// How a report vouches for an endorsement key, with what is needed to check it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The profile's name, as in the API.
    pub(crate) profile: String,
    /// What the SVSM was asked with, where it was asked.
    pub(crate) nonce: Option<Vec<u8>>,
    /// The SVSM's manifest.
    pub(crate) manifest: Option<Vec<u8>>,
    /// The host's certificate table.
    pub(crate) certificates: Option<Vec<u8>>,
}

/// A boot that is being registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewBoot {
    pub(crate) machine: String,
    pub(crate) launch_identity: Vec<u8>,
    /// `None` where no report tells it.
    pub(crate) measurement: Option<String>,
    pub(crate) attester: String,
    /// TPM2B_PUBLIC of both keys.
    pub(crate) ek_public: Vec<u8>,
    pub(crate) ak_public: Vec<u8>,
    /// The report, or the certificate in its stead.
    pub(crate) report: Vec<u8>,
    pub(crate) binding: Binding,
    /// What the report says of the platform, as JSON of the API.
    pub(crate) platform: Option<String>,
}

/// A boot that was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownBoot {
    pub(crate) machine: String,
    pub(crate) number: u64,
    pub(crate) revoked: bool,
    pub(crate) ek_public: Vec<u8>,
    pub(crate) report: Vec<u8>,
    /// What belief can be made of again; `None` for a boot that a version of this program registered that did not keep it.
    pub(crate) belief: Option<(Vec<u8>, Binding)>,
    pub(crate) standing: Option<Standing>,
}

/// Where a boot stands after its last round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) at: u64,
    /// The verdict's word.
    pub(crate) verdict: String,
    /// Findings, as JSON of the API.
    pub(crate) findings: String,
    /// When the machine was last trusted.
    pub(crate) trusted_at: Option<u64>,
    pub(crate) rounds: u64,
    pub(crate) clock: Option<StoredClock>,
    /// The policy that the progress was judged by, and the progress.
    pub(crate) progress: Option<(String, Vec<u8>)>,
}

/// The clock of the last quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredClock(pub(crate) Clock);

impl StoredClock {
    /// Writes it in 17 bytes: databases' integers have no room for one of 64 bits without sign.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let StoredClock(clock) = self;
        let mut bytes = clock.milliseconds.to_be_bytes().to_vec();
        bytes.extend(clock.reset_count.to_be_bytes());
        bytes.extend(clock.restart_count.to_be_bytes());
        bytes.push(u8::from(clock.safe));
        bytes
    }

    /// Reads it back.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (milliseconds, rest) = bytes.split_first_chunk()?;
        let (reset_count, rest) = rest.split_first_chunk()?;
        let (restart_count, rest) = rest.split_first_chunk()?;
        let [safe] = rest else { return None };
        Some(StoredClock(Clock {
            milliseconds: u64::from_be_bytes(*milliseconds),
            reset_count: u32::from_be_bytes(*reset_count),
            restart_count: u32::from_be_bytes(*restart_count),
            safe: *safe == 1,
        }))
    }
}

/// One round of one attester, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) attester: String,
    pub(crate) at: u64,
    pub(crate) verdict: String,
    pub(crate) findings: String,
    pub(crate) clock: Option<StoredClock>,
    pub(crate) progress: Option<(String, Vec<u8>)>,
    /// What is shown of it, as JSON.
    pub(crate) shown: Option<String>,
    pub(crate) logs: LogsOfRound,
}

/// What a round brought of the boot's logs, as far as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum LogsOfRound {
    /// Nothing new.
    #[default]
    Nothing,
    /// Both from the start, in place of what was there; a log that is too large is left out.
    Whole { event_log: Option<Vec<u8>>, ima_log: Option<Vec<u8>> },
    /// What the IMA list grew by, and the number of its first entry. A store that others write to keeps it only if all that
    /// is there has at most `limit` bytes then; who has the store alone has asked it before.
    Grown { first: u64, ima_log: Vec<u8>, limit: u64 },
}

/// The logs of a boot, as far as they were kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeptLogs {
    pub(crate) event_log: Option<Vec<u8>>,
    /// The parts of the IMA list, each with the number of its first entry.
    pub(crate) ima_log: Vec<(u64, Vec<u8>)>,
}

/// What is kept of a machine's present boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PresentBoot {
    pub(crate) attester: String,
    pub(crate) registered_at: u64,
    pub(crate) boot: KnownBoot,
    /// What is shown of the last round, as JSON.
    pub(crate) shown: Option<String>,
}

/// A line for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at: u64,
    pub(crate) machine: Option<String>,
    pub(crate) event: &'static str,
    pub(crate) detail: String,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) id: u64,
    pub(crate) at: u64,
    pub(crate) machine: Option<String>,
    pub(crate) event: String,
    pub(crate) detail: String,
    /// What links this entry to the one before.
    pub(crate) hash: Vec<u8>,
}

/// A machine with where its newest boot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MachineRow {
    pub(crate) name: String,
    /// `None` before the first registration.
    pub(crate) measurement: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) clone_alarm: bool,
    pub(crate) boots: u64,
    /// The profile of its present boot's binding.
    pub(crate) profile: Option<String>,
    /// What the report says of the platform, as JSON of the API.
    pub(crate) platform: Option<String>,
    pub(crate) standing: Option<Standing>,
}

/// One boot in a machine's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootRow {
    pub(crate) number: u64,
    pub(crate) attester: String,
    pub(crate) registered_at: u64,
    pub(crate) revoked_at: Option<u64>,
    pub(crate) ek_public: Vec<u8>,
    pub(crate) standing: Option<Standing>,
}

/// A named policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyRow {
    pub(crate) name: String,
    /// The document, as JSON.
    pub(crate) document: String,
    pub(crate) changed_at: u64,
}

/// A token of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) name: String,
    /// SHA-256 of the token: a stolen database opens nothing.
    pub(crate) digest: Vec<u8>,
    /// The roles' names, separated by commas.
    pub(crate) roles: String,
    pub(crate) created_at: u64,
}

/// A document that a protocol keeps, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) body: String,
    /// Another one after each change, and after removal; 0 is an item that is not there yet.
    pub(crate) version: u64,
    /// When something has to be done about it, in a unit that its kind decides.
    pub(crate) due_at: Option<u64>,
}
