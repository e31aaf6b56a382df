// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the verifier remembers: machines, their boots, where each boot stands, policies, and the audit log.
//!
//! The store is the truth; what is in memory can be made from it again. An answer to a write comes when it is durable.

mod error;
mod postgres;
mod record;
mod sqlite;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use evtpm_crypto::Rng as _;

pub(crate) use error::StoreError;
pub(crate) use postgres::Postgres;
pub(crate) use record::{
    AuditEntry, Binding, BootRow, Item, KeptLogs, KnownBoot, LogsOfRound, MachineRow, NewBoot, Note, PolicyRow,
    PresentBoot, Round, Standing, StoredClock, TokenRow,
};
pub(crate) use sqlite::Sqlite;

use crate::random::SystemRng;

/// Fleeting items that ended and go before a new one is put: more than one, so that they become fewer.
const FORGET_AT_ONCE: u32 = 4;

/// What a store answers, some time later.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place that remembers. Every method is one transaction; times are seconds since 1970.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Registers a boot: pins a new machine to its launch identity or checks it against the pin, and revokes the boot
    /// before. Returns the boot's number, and the attester that was revoked.
    fn register(&self, boot: NewBoot, at: u64) -> Answer<'_, (u64, Option<String>)>;

    /// Finds a boot by the attester's name.
    fn boot(&self, attester: &str) -> Answer<'_, Option<KnownBoot>>;

    /// Records a round; refused if the attester was revoked meanwhile.
    fn record(&self, round: Round) -> Answer<'_, ()>;

    /// Notes that a revoked key was proven alive: two live endorsement keys for one identity (rule 10).
    fn raise_clone_alarm(&self, machine: &str, attester: &str, at: u64) -> Answer<'_, ()>;

    /// Ends the alarm of a machine, on the operator's word. Tells whether there is such a machine.
    fn end_clone_alarm(&self, machine: &str, note: Note) -> Answer<'_, bool>;

    /// Writes a line of the audit log.
    fn note(&self, note: Note) -> Answer<'_, ()>;

    /// Lists machines by name; one of them, where `only` names it.
    fn machines(&self, only: Option<&str>) -> Answer<'_, Vec<MachineRow>>;

    /// Finds the boot of a machine that is not over.
    fn present_boot(&self, machine: &str) -> Answer<'_, Option<PresentBoot>>;

    /// Returns what is kept of a boot's logs.
    fn logs(&self, attester: &str) -> Answer<'_, KeptLogs>;

    /// Returns how many bytes of a boot's IMA list are kept.
    fn kept_ima(&self, attester: &str) -> Answer<'_, u64>;

    /// Lists the boots of a machine, newest first.
    fn boots(&self, machine: &str) -> Answer<'_, Vec<BootRow>>;

    /// Adds a machine that has not registered yet, or changes the policy of one that has.
    fn put_machine(&self, machine: &str, policy: Option<&str>, note: Note) -> Answer<'_, ()>;

    /// Forgets a machine with its boots. Tells whether there was one.
    fn remove_machine(&self, machine: &str, note: Note) -> Answer<'_, bool>;

    /// Lists policies by name.
    fn policies(&self) -> Answer<'_, Vec<PolicyRow>>;

    /// Adds or changes a policy.
    fn put_policy(&self, policy: PolicyRow, note: Note) -> Answer<'_, ()>;

    /// Forgets a policy; refused while machines have it. Tells whether there was one.
    fn remove_policy(&self, name: &str, note: Note) -> Answer<'_, bool>;

    /// Lists the machines that have a policy of their own, with its name.
    fn policy_of_machines(&self) -> Answer<'_, Vec<(String, String)>>;

    /// Lists tokens by name.
    fn tokens(&self) -> Answer<'_, Vec<TokenRow>>;

    /// Adds a token; refused if there is one of that name.
    fn add_token(&self, token: TokenRow, note: Note) -> Answer<'_, ()>;

    /// Forgets a token. Tells whether there was one.
    fn remove_token(&self, name: &str, note: Note) -> Answer<'_, bool>;

    /// Finds one of the documents that a protocol keeps.
    fn item(&self, kind: &'static str, name: &str) -> Answer<'_, Option<Item>>;

    /// Lists all of a kind, by name.
    fn items(&self, kind: &'static str) -> Answer<'_, Vec<Item>>;

    /// Adds an item (of version 0) or changes the one that was read with its version; refused if it was changed since.
    fn put_item(&self, kind: &'static str, item: Item, note: Option<Note>) -> Answer<'_, ()>;

    /// Puts an item in place of what has its name, until `until`; forgets some of its kind that ended before `now`. It
    /// outlives this process, and need not outlive a loss of power: whoever it was for comes again.
    fn put_fleeting_item(&self, kind: &'static str, name: &str, body: String, now: u64, until: u64) -> Answer<'_, ()>;

    /// Forgets an item. Tells whether there was one.
    fn remove_item(&self, kind: &'static str, name: &str, note: Option<Note>) -> Answer<'_, bool>;

    /// Takes what is due at `now`, the oldest first. It is not due again before `until`: if whoever took it ends, another
    /// process takes over then.
    fn claim(&self, kind: &'static str, now: u64, until: u64, limit: u32) -> Answer<'_, Vec<Item>>;

    /// Rises with each change of policies, machines' policies or tokens that another process may have made.
    fn generation(&self) -> Answer<'_, u64>;

    /// Reads the audit log from behind entry `after` on, at most `limit` entries.
    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<AuditEntry>>;

    /// Reads the audit log backwards from before entry `before`, or from its end; of one machine, where `machine` names it.
    fn audit_newest(&self, before: Option<u64>, machine: Option<&str>, limit: u32) -> Answer<'_, Vec<AuditEntry>>;
}

/// Chooses the first version of an item, one that no item of its name had before it was removed: whoever remembers an item
/// by its version would take the new one for the old one.
fn first_version() -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    SystemRng.fill(&mut bytes).map_err(|error| StoreError::Database(format!("choosing a version: {error}")))?;
    // Room to count, in an integer with a sign.
    Ok((u64::from_be_bytes(bytes) >> 2).max(1))
}
