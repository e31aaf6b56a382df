// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that a failed command leaves as it was, and what `_TPM_Init` and `TPM2_Startup` do to it.
//!
//! Clocks, failure counters and the random generator stand outside, because failures may change them. Nothing here is ever
//! stored, so what the specification keeps in NV memory simply stays where it is, and `TPM2_Shutdown(STATE)` only
//! remembers that nothing changed since: a later change makes the next startup a TPM Reset.

mod clock;
mod command_audit;
mod command_set;
mod commits;
mod countdown;
mod dictionary_attack;
mod hierarchies;
mod measurement;
mod nv;
mod objects;
mod pcr;
mod sessions;

pub(crate) use clock::{Clock, TooFar, UPDATE_INTERVAL};
pub(crate) use command_audit::CommandAudit;
pub(crate) use command_set::CommandSet;
pub(crate) use commits::Commits;
pub(crate) use countdown::{Countdown, Countdowns};
pub(crate) use dictionary_attack::DaCounters;
pub use dictionary_attack::DaParameters;
pub(crate) use hierarchies::{Auth, AuthPolicy, Hierarchies, Hierarchy, NullSecrets, fresh};
pub(crate) use measurement::BankHashers;
pub(crate) use nv::{MAX_ORDERLY_COUNT, NvIndex, NvPublic, NvStore};
pub(crate) use objects::{Loaded, Message, MessageOf, Object, Objects, Running, Safety, Sequence, SequenceKind};
pub(crate) use pcr::{PcrRules, Pcrs, StartupLocality, rule, rules};
pub(crate) use sessions::{
    Binding, DaBound, HmacState, Nonce, PolicyLimit, PolicyProof, PolicyState, Session, SessionKind, Sessions,
};

use crate::Profile;
use crate::algorithm;
use crate::commands::context::encoding;
use crate::host::Ek;
use crate::memory::OutOfMemory;
use crate::self_test::Tested;
use crate::snapshot::{self, Archive, Invalid};
use crate::ticket::PROOF_HASH;
use evtpm_crypto::{Crypto, StreamingHash};
use evtpm_tpm_wire::{Overflow, Rc, Reader, TpmSu, Writer, YesNo};

/// The state of a TPM.
#[derive(Debug, Clone)]
pub(crate) struct State<H: StreamingHash> {
    /// Seeds, authorizations, enables.
    pub hierarchies: Hierarchies,
    /// PCR banks.
    pub pcrs: Pcrs,
    /// NV indices.
    pub nv: NvStore,
    /// Transient and persistent objects, sequences.
    pub objects: Objects<H>,
    /// Authorization sessions.
    pub sessions: Sessions,
    /// What the lockout authority set.
    pub da_parameters: DaParameters,
    /// The commands that need physical presence besides the platform's authorization.
    pub pp_commands: CommandSet,
    /// The command audit.
    pub command_audit: CommandAudit,
    /// Authenticated countdown timers.
    pub countdowns: Countdowns,
    /// Read-only mode: what would change persistent state is refused.
    pub read_only: bool,
    /// The number of the algorithm set that the platform chose.
    pub algorithm_set: u32,
    /// The kind of the `TPM2_Shutdown` after which nothing has changed.
    pub orderly: Option<TpmSu>,
    /// The last `TPM2_Startup` followed a `TPM2_Shutdown` after which nothing had changed.
    pub started_orderly: bool,
    /// How PCR 0 was started by the last `TPM2_Startup`.
    pub start: Option<StartupLocality>,
    /// An H-CRTM filled PCR 0 since `_TPM_Init`.
    pub hcrtm_ran: bool,
    /// The H-CRTM or dynamic-launch sequence that is being received.
    pub hcrtm: Option<HcrtmSequence<H>>,
    /// Counts TPM Resets.
    pub reset_count: u32,
    /// Counts TPM Restarts and Resumes since the last TPM Reset.
    pub restart_count: u32,
    /// Counts Startup(CLEAR)s: contexts of stClear objects are bound to it.
    pub clear_count: u32,
    /// Counts `_TPM_Init`s: `Time` values of different epochs cannot be compared.
    pub time_epoch: u32,
    /// The number of the latest object context.
    pub object_context: u64,
    /// The ephemeral keys that wait for the command that uses them up.
    pub commits: Commits,
    /// The known-answer tests that have passed since `_TPM_Init`.
    pub tested: Tested,
}

impl<H: StreamingHash> State<H> {
    /// Reserves all memory that the profile's limits name.
    pub(crate) fn reserve(profile: &Profile) -> Result<Self, OutOfMemory> {
        let limits = &profile.limits;
        Ok(Self {
            hierarchies: Hierarchies::EMPTY,
            pcrs: Pcrs::reserve(profile.banks)?,
            nv: NvStore::reserve(limits.nv_indices, limits.nv_bytes)?,
            objects: Objects::reserve(limits.transient_objects, limits.persistent_objects)?,
            sessions: Sessions::reserve(limits.active_sessions, limits.loaded_sessions, u64::from(limits.context_gap))?,
            da_parameters: profile.dictionary_attack,
            pp_commands: CommandSet::EMPTY,
            command_audit: CommandAudit::new(algorithm::wire_hash(PROOF_HASH)),
            countdowns: Countdowns::IDLE,
            read_only: false,
            algorithm_set: 0,
            orderly: None,
            started_orderly: false,
            start: None,
            hcrtm_ran: false,
            hcrtm: None,
            reset_count: 0,
            restart_count: 0,
            clear_count: 0,
            time_epoch: 0,
            object_context: 0,
            commits: Commits::default(),
            tested: Tested::default(),
        })
    }

    /// Does what `_TPM_Init` does.
    pub(crate) fn power_on(&mut self) {
        self.pcrs.power_on();
        self.objects.flush_all();
        self.sessions.power_on();
        self.hcrtm = None;
        self.hcrtm_ran = false;
        self.countdowns.power_on();
        self.tested = Tested::default();
        self.time_epoch = self.time_epoch.saturating_add(1);
    }

    /// Does TPM Reset: "all variables go back to their default initialization state".
    pub(crate) fn reset(&mut self, start: StartupLocality, fresh: NullSecrets) {
        self.hierarchies.reset(fresh);
        if self.orderly.is_none() {
            self.nv.lose_orderly_counts();
        }
        self.sessions.reset();
        self.command_audit.end();
        self.object_context = 0;
        // "On each TPM Reset, the TPM will ... reset commitCount to zero."
        self.commits = Commits::default();
        self.restart_count = 0;
        self.reset_count = self.reset_count.wrapping_add(1);
        self.startup_clear(start, true);
    }

    /// Does TPM Restart: Startup(CLEAR) after Shutdown(STATE).
    pub(crate) fn restart(&mut self, start: StartupLocality) {
        self.restart_count = self.restart_count.wrapping_add(1);
        self.startup_clear(start, false);
    }

    /// Does TPM Resume: Startup(STATE) after Shutdown(STATE).
    pub(crate) fn resume(&mut self, time: u64) {
        self.countdowns.resume(time);
        self.restart_count = self.restart_count.wrapping_add(1);
        self.hierarchies.startup();
        self.pcrs.startup(false, true, true);
        self.started_orderly = true;
        self.orderly = None;
    }

    /// Passes what a TPM without power still has.
    pub(crate) fn pass_permanent<A, C>(&mut self, archive: &mut A) -> Result<(), A::Error>
    where
        A: Archive,
        C: Crypto<Hasher = H>,
    {
        // Without "..": a new field does not compile before it was decided which part it belongs to.
        let Self {
            hierarchies,
            pcrs,
            nv,
            objects,
            da_parameters,
            pp_commands,
            command_audit,
            algorithm_set,
            orderly,
            reset_count,
            clear_count,
            time_epoch,
            // Passed below, with what a running TPM has and with what Shutdown(STATE) retains.
            sessions: _,
            countdowns: _,
            read_only: _,
            started_orderly: _,
            start: _,
            hcrtm_ran: _,
            hcrtm: _,
            restart_count: _,
            object_context: _,
            commits: _,
            tested: _,
        } = self;
        hierarchies.pass(archive)?;
        pcrs.pass_allocation(archive)?;
        nv.pass(archive)?;
        objects.pass_persistent::<A, C>(archive)?;
        da_parameters.pass(archive)?;
        pp_commands.pass(archive)?;
        command_audit.pass_permanent(archive)?;
        for count in [algorithm_set, reset_count, clear_count, time_epoch] {
            archive.pass(count)?;
        }
        snapshot::choice(archive, orderly, &ORDERLY)?;
        if *orderly == Some(TpmSu::State) { self.pass_retained(archive) } else { Ok(()) }
    }

    /// Passes what a running TPM has besides.
    pub(crate) fn pass_volatile<A, C>(&mut self, archive: &mut A) -> Result<(), A::Error>
    where
        A: Archive,
        C: Crypto<Hasher = H>,
    {
        self.pass_retained(archive)?;
        let Self { objects, sessions, orderly, started_orderly, hcrtm_ran, hcrtm, tested, .. } = self;
        objects.pass_transient::<A, C>(archive)?;
        sessions.pass_loaded(archive)?;
        snapshot::choice(archive, orderly, &ORDERLY)?;
        snapshot::flag(archive, started_orderly)?;
        snapshot::flag(archive, hcrtm_ran)?;
        let mut receiving = hcrtm.is_some();
        snapshot::flag(archive, &mut receiving)?;
        if receiving && let Some(kept) = archive.pass_with(hcrtm.as_ref(), write_hcrtm, read_hcrtm)? {
            *hcrtm = Some(kept);
        }
        tested.pass(archive)
    }

    /// Passes what outlives power only after Shutdown(STATE).
    fn pass_retained<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { pcrs, sessions, command_audit, countdowns, read_only, start, commits, .. } = self;
        pcrs.pass_values(archive)?;
        command_audit.pass_retained(archive)?;
        countdowns.pass(archive)?;
        snapshot::flag(archive, read_only)?;
        sessions.pass_saved(archive)?;
        commits.pass(archive)?;
        snapshot::choice(archive, start, &START)?;
        archive.pass(&mut self.restart_count)?;
        archive.pass(&mut self.object_context)
    }

    /// Checks what single values could not show.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        self.nv.check()?;
        self.objects.check()?;
        self.sessions.check()
    }

    fn startup_clear(&mut self, start: StartupLocality, reset: bool) {
        self.hierarchies.startup();
        self.hierarchies.startup_clear();
        self.nv.startup_clear(reset);
        self.pcrs.startup(reset, false, start == StartupLocality::Hcrtm);
        if start == StartupLocality::Three {
            self.pcrs.start_static(start);
        }
        self.start = Some(start);
        // "A TPM exits Read-Only mode if the TPM receives a TPM2_Startup() for TPM Reset or TPM Restart."
        self.read_only = false;
        self.countdowns.startup_clear();
        self.clear_count = self.clear_count.wrapping_add(1);
        self.started_orderly = self.orderly.is_some();
        self.orderly = None;
    }
}

const ORDERLY: [Option<TpmSu>; 3] = [None, Some(TpmSu::Clear), Some(TpmSu::State)];
const START: [Option<StartupLocality>; 4] =
    [None, Some(StartupLocality::Zero), Some(StartupLocality::Three), Some(StartupLocality::Hcrtm)];

fn write_hcrtm<H: StreamingHash>(sequence: &HcrtmSequence<H>, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    writer.write(&YesNo::from(sequence.dynamic))?;
    encoding::encode_hashers(&sequence.hashers, writer)
}

fn read_hcrtm<H: StreamingHash>(reader: &mut Reader<'_>) -> Result<HcrtmSequence<H>, Rc> {
    let dynamic = reader.read::<YesNo>()?.is_yes();
    Ok(HcrtmSequence { dynamic, hashers: encoding::decode_hashers(reader)? })
}

/// Compares everything; a field that is added must be added here, or this does not compile.
impl<H: StreamingHash> PartialEq for State<H> {
    fn eq(&self, other: &Self) -> bool {
        let Self { hierarchies, pcrs, nv, objects, sessions, da_parameters, orderly, .. } = self;
        let Self { pp_commands, command_audit, countdowns, read_only, algorithm_set, .. } = self;
        let Self { started_orderly, start, hcrtm, hcrtm_ran, .. } = self;
        let Self { reset_count, restart_count, clear_count, time_epoch, object_context, commits, tested, .. } = self;
        *hierarchies == other.hierarchies
            && *pcrs == other.pcrs
            && *nv == other.nv
            && *objects == other.objects
            && *sessions == other.sessions
            && *da_parameters == other.da_parameters
            && *pp_commands == other.pp_commands
            && *command_audit == other.command_audit
            && *countdowns == other.countdowns
            && *read_only == other.read_only
            && *algorithm_set == other.algorithm_set
            && *orderly == other.orderly
            && *started_orderly == other.started_orderly
            && *start == other.start
            && *hcrtm == other.hcrtm
            && *hcrtm_ran == other.hcrtm_ran
            && *reset_count == other.reset_count
            && *restart_count == other.restart_count
            && *clear_count == other.clear_count
            && *time_epoch == other.time_epoch
            && *object_context == other.object_context
            && *commits == other.commits
            && *tested == other.tested
    }
}

/// What the host's `_TPM_Hash_Start` began.
#[derive(Debug, Clone)]
pub(crate) struct HcrtmSequence<H> {
    dynamic: bool,
    hashers: BankHashers<H>,
}

impl<H: StreamingHash> HcrtmSequence<H> {
    /// Starts a sequence; `dynamic` when it came after `TPM2_Startup`.
    pub(crate) const fn new(dynamic: bool, hashers: BankHashers<H>) -> Self {
        Self { dynamic, hashers }
    }

    /// Takes in data.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.hashers.update(data);
    }

    /// Tells whether it is a dynamic launch.
    pub(crate) const fn is_dynamic(&self) -> bool {
        self.dynamic
    }

    /// Borrows the running hashes.
    pub(crate) const fn hashers(&self) -> &BankHashers<H> {
        &self.hashers
    }
}

impl<H: StreamingHash> PartialEq for HcrtmSequence<H> {
    fn eq(&self, other: &Self) -> bool {
        self.dynamic == other.dynamic && self.hashers == other.hashers
    }
}

/// Which EK an NV index certifies, and how far the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The key.
    pub ek: Ek,
    /// How far the host is.
    pub progress: CertificateProgress,
}

/// How far the host is with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateProgress {
    /// The host will be asked when the guest first needs it.
    Wanted,
    /// The host was asked and has none now: the command that asked goes on without, the next one asks again.
    Declined,
    /// The index holds it.
    Present,
}
