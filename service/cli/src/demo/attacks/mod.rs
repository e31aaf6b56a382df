// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attacks: each changes bytes or behaviour before the production path, and names what has to catch it.
//!
//! The numbers are those of the attack table in `docs/THREATS.md`. Each scenario can also be played untampered, and then
//! has to end in trust: what catches the attack is not an accident of the scenario.

mod guest;
mod host;
mod keys;
mod launch;
pub(super) mod logs;
mod wedge;
mod wire;

use anyhow::Result;

use super::verifier::{Answer, LocalVerifier};
use super::world::World;

/// Whether a scenario is played with its attack, or as the same thing done honestly (which only tests do).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    /// With the attack.
    Tampered,
    /// Without.
    #[cfg_attr(not(test), expect(dead_code, reason = "the story has its good machine; honest twins are for tests"))]
    Honest,
}

impl Play {
    pub(crate) fn is_tampered(self) -> bool {
        self == Play::Tampered
    }
}

/// What a scenario is played with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) world: &'a World,
    /// The verifier with the operator's usual beliefs.
    pub(crate) verifier: &'a LocalVerifier,
    /// The name that the machine registers by: each play has its own.
    pub(crate) machine: &'a str,
    pub(crate) play: Play,
}

/// One attack.
#[derive(Debug)]
pub(crate) struct Attack {
    /// A short name.
    pub(crate) name: &'static str,
    /// The row of the attack table.
    pub(crate) row: u8,
    /// What the attacker does.
    pub(crate) about: &'static str,
    /// Words that the reason has to contain.
    pub(crate) caught_by: &'static str,
    /// Plays it.
    pub(crate) run: fn(Stage<'_>) -> Result<Answer>,
}

/// All attacks, in the order of the story: from the chip up to the running system.
pub(crate) const ATTACKS: &[Attack] = &[
    launch::MODIFIED_SVSM,
    launch::NO_SVSM,
    launch::DEBUG_POLICY,
    launch::ROLLED_BACK_TCB,
    launch::OTHER_CHIP,
    launch::REVOKED_CHAIN,
    launch::UNNAMED_ROOT,
    host::CORRUPTED_MESSAGES,
    host::STUCK_NOISE,
    guest::FAKE_VTPM,
    guest::FORGED_REPORT,
    guest::UNKNOWN_REPORT,
    guest::OTHER_GENERATION,
    guest::REPLAYED_REPORT,
    guest::LOWER_PRIVILEGE,
    guest::OVERWRITTEN_REPORT,
    keys::BORROWED_MESSAGE_KEY,
    keys::KEY_OF_ANOTHER_BOOT,
    wedge::WEDGED_ATTESTATION,
    wire::RELAYED_QUOTE,
    wire::REPLAYED_EVIDENCE,
    logs::LYING_EVENT_LOG,
    logs::CHANGED_COMMAND_LINE,
    logs::CHANGED_FILE,
    logs::HIDDEN_FILE,
];

/// Whether an answer is what the attack has to come to.
pub(crate) fn is_caught(attack: &Attack, answer: &Answer) -> bool {
    !answer.is_trusted() && answer.reasons().iter().any(|reason| reason.contains(attack.caught_by))
}
