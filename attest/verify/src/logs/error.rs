// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a log does not explain a quote.

use core::fmt;

use evtpm_logs::{Digest, HashId, PcrIndex, PcrSet};

/// The error of this module: each variant names the log, the bank and the register to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The event log cannot be read.
    EventLog(evtpm_logs::Error),
    /// The IMA list cannot be read.
    ImaList(evtpm_logs::Error),
    /// The event log is empty, but registers that it should explain were extended.
    EmptyEventLog {
        /// The registers.
        pcrs: PcrSet,
    },
    /// The event log has no digests for a quoted bank.
    BankNotLogged {
        /// The bank.
        bank: HashId,
    },
    /// The event log leads to other values than were quoted.
    Replay {
        /// The first bank that differs.
        bank: HashId,
        /// The first register of it that differs.
        pcr: PcrIndex,
        /// The quoted value.
        quoted: Box<Digest>,
        /// The value after the log.
        replayed: Box<Digest>,
        /// All registers of the bank that differ.
        all: PcrSet,
    },
    /// The quote covers no register that IMA extends.
    ImaNotQuoted {
        /// The registers that were left to the IMA list.
        pcrs: PcrSet,
    },
    /// No prefix of the IMA list leads to the quoted values: the list was changed, or is shorter than the quote.
    ImaReplay {
        /// The bank that has no prefix, or the first bank if the banks disagree on it.
        bank: HashId,
        /// The registers that the list should explain.
        pcrs: PcrSet,
        /// Entries in the list.
        entries: usize,
    },
    /// The list's covered part does not begin with `boot_aggregate`.
    NoBootAggregate,
    /// `boot_aggregate` is not the digest of the quoted registers: the list belongs to another boot.
    BootAggregate {
        /// The digest's algorithm.
        algorithm: HashId,
        /// The digest of the quoted registers.
        expected: Box<Digest>,
        /// The digest in the list.
        actual: Box<Digest>,
    },
    /// A register that no list goes on extending is not what it was at an earlier quote of this boot.
    Moved {
        /// The bank.
        bank: HashId,
        /// The registers.
        pcrs: PcrSet,
    },
    /// The quote covers other registers than the earlier one.
    OtherSelection,
    /// The kernel saw a file change while it was measured.
    Violation {
        /// The entry's number.
        record: u32,
        /// The name that the list gives; no digest covers it.
        claimed_path: String,
        /// Violations in the covered part.
        total: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::EventLog(error) => write!(f, "event log: {error}"),
            Error::ImaList(error) => write!(f, "IMA list: {error}"),
            Error::EmptyEventLog { pcrs } => {
                write!(f, "the event log is empty, but PCR {pcrs} were extended: the boot is not explained")
            }
            Error::BankNotLogged { bank } => write!(f, "the event log has no digests for the quoted bank {bank}"),
            Error::Replay { bank, pcr, quoted, replayed, all } => write!(
                f,
                "the event log leads to {replayed} in {bank} PCR {pcr}, quoted was {quoted} (differing: PCR {all})"
            ),
            Error::ImaNotQuoted { pcrs } => {
                write!(f, "the quote covers none of the registers of the IMA list ({pcrs})")
            }
            Error::ImaReplay { bank, pcrs, entries } => write!(
                f,
                "no prefix of the {entries} entries of the IMA list leads to the quoted {bank} PCR {pcrs}: \
                 the list was changed or is shorter than the quote"
            ),
            Error::NoBootAggregate => f.write_str("the IMA list does not begin with boot_aggregate"),
            Error::BootAggregate { algorithm, expected, actual } => write!(
                f,
                "boot_aggregate is {algorithm} {actual}, the quoted registers give {expected}: a list of another boot"
            ),
            Error::Moved { bank, pcrs } => {
                write!(f, "{bank} PCR {pcrs} changed since an earlier quote of this boot: send the whole logs again")
            }
            Error::OtherSelection => {
                f.write_str("the quote covers other registers than the earlier one: send the whole logs again")
            }
            Error::Violation { record, claimed_path, total } => {
                write!(f, "IMA entry {record} is a measurement violation (claimed name {claimed_path}; {total} in all)")
            }
        }
    }
}

impl core::error::Error for Error {}
