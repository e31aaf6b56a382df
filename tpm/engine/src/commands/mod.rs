// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands, one file each, in chapters named as in Part 3; and the table of all of them.

mod act;
mod asymmetric;
mod attestation;
mod capability;
mod clock;
mod command_audit;
pub(crate) mod context;
mod dictionary_attack;
mod duplication;
mod ea;
mod ephemeral;
mod hierarchy;
mod management;
mod nv;
mod object;
mod pcr;
mod random;
mod sequence;
mod session;
mod signing;
mod start_up;
mod symmetric;
mod testing;

use crate::failure::Failure;
use crate::{Platform, Tpm};
use core::marker::PhantomData;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Cc, Command, CommandTag, HandleArea, HandleList, Overflow, Rc, Reader, Response, Spec, Unmarshal, Writer,
};

/// What a command does, once it is authorized and its parameters are read.
///
/// `run` has three paragraphs: what may be wrong, what is computed, what changes. Nothing changes before everything that
/// may be wrong has been looked at.
pub(crate) trait Execute: Command {
    /// Executes the command.
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: Self::Handles) -> Result<Self::Response, Rc>;
}

type Run<P> = for<'a> fn(&mut Tpm<P>, &HandleList, &mut Reader<'a>, CommandTag, &mut Writer<'_>) -> Result<usize, Rc>;

/// One row of the command table.
pub(crate) struct Row<P: Platform> {
    /// What Part 3 says about the command.
    pub(crate) spec: Spec,
    /// Reads the handle area.
    pub(crate) handles: fn(&mut Reader<'_>) -> Result<HandleList, Rc>,
    /// Reads the parameters, executes, writes handle and parameters of the response and tells where the latter begin.
    pub(crate) run: Run<P>,
}

/// Lends the command table.
pub(crate) fn table<'t, P: Platform + 't>() -> &'t [Row<P>] {
    Table::<'t, P>::ROWS
}

/// Finds the row of a command, if this TPM has it.
pub(crate) fn row<'t, P: Platform + 't>(code: Cc) -> Option<&'t Row<P>> {
    let rows = table::<P>();
    // The codes are nearly without gaps: the row stands as far from the first as its code, or a few places before that.
    let distance = usize::try_from(code.0.checked_sub(rows.first()?.spec.code.0)?).ok()?;
    let mut candidates = rows.iter().take(distance.saturating_add(1)).rev();
    candidates.find(|row| row.spec.code.0 <= code.0).filter(|row| row.spec.code == code)
}

/// Finds what Part 3 says about a command, if this TPM has it.
pub(crate) fn spec<P: Platform>(code: Cc) -> Option<Spec> {
    row::<P>(code).map(|row| row.spec)
}

struct Table<'t, P>(PhantomData<&'t P>);

macro_rules! rows {
    ($($command:ident)*) => {
        &[$(Row {
            spec: <$command as Command>::SPEC,
            handles: read_handles::<$command>,
            run: |tpm, handles, parameters, tag, writer| run::<P, $command>(tpm, handles, parameters, tag, writer),
        }),*]
    };
}

impl<'t, P: Platform + 't> Table<'t, P> {
    /// In ascending order of the codes.
    const ROWS: &'t [Row<P>] = rows! {
        NvUndefineSpaceSpecial
        EvictControl
        HierarchyControl
        NvUndefineSpace
        ChangeEps
        ChangePps
        Clear
        ClearControl
        ClockSet
        HierarchyChangeAuth
        NvDefineSpace
        PcrAllocate
        PcrSetAuthPolicy
        PpCommands
        SetPrimaryPolicy
        ClockRateAdjust
        CreatePrimary
        NvGlobalWriteLock
        GetCommandAuditDigest
        NvIncrement
        NvSetBits
        NvExtend
        NvWrite
        NvWriteLock
        DictionaryAttackLockReset
        DictionaryAttackParameters
        NvChangeAuth
        PcrEvent
        PcrReset
        SequenceComplete
        SetAlgorithmSet
        SetCommandCodeAuditStatus
        IncrementalSelfTest
        SelfTest
        Startup
        Shutdown
        StirRandom
        ActivateCredential
        Certify
        PolicyNv
        CertifyCreation
        Duplicate
        GetTime
        GetSessionAuditDigest
        NvRead
        NvReadLock
        ObjectChangeAuth
        PolicySecret
        Rewrap
        Create
        EcdhZGen
        Mac
        Import
        Load
        Quote
        RsaDecrypt
        MacStart
        SequenceUpdate
        Sign
        Unseal
        PolicySigned
        ContextLoad
        ContextSave
        EcdhKeyGen
        EncryptDecrypt
        FlushContext
        LoadExternal
        MakeCredential
        NvReadPublic
        PolicyAuthorize
        PolicyAuthValue
        PolicyCommandCode
        PolicyCounterTimer
        PolicyCpHash
        PolicyLocality
        PolicyNameHash
        PolicyOr
        PolicyTicket
        ReadPublic
        RsaEncrypt
        StartAuthSession
        VerifySignature
        EccParameters
        GetCapability
        GetRandom
        GetTestResult
        Hash
        PcrRead
        PolicyPcr
        PolicyRestart
        ReadClock
        PcrExtend
        PcrSetAuthValue
        NvCertify
        EventSequenceComplete
        HashSequenceStart
        PolicyPhysicalPresence
        PolicyDuplicationSelect
        PolicyGetDigest
        TestParms
        Commit
        PolicyPassword
        ZGen2Phase
        EcEphemeral
        PolicyNvWritten
        PolicyTemplate
        CreateLoaded
        PolicyAuthorizeNv
        EncryptDecrypt2
        CertifyX509
        ActSetTimeout
        EccEncrypt
        EccDecrypt
        PolicyCapability
        PolicyParameters
        NvDefineSpace2
        NvReadPublic2
        ReadOnlyControl
        PolicyTransportSpdm
        VerifySequenceComplete
        SignSequenceComplete
        VerifyDigestSignature
        SignDigest
        Encapsulate
        Decapsulate
        VerifySequenceStart
        SignSequenceStart
    };
}

fn read_handles<C: Command>(reader: &mut Reader<'_>) -> Result<HandleList, Rc> {
    reader.read::<C::Handles>().map(|handles| handles.list())
}

fn run<'a, P, C>(
    tpm: &mut Tpm<P>,
    handles: &HandleList,
    parameters: &mut Reader<'a>,
    tag: CommandTag,
    writer: &mut Writer<'_>,
) -> Result<usize, Rc>
where
    P: Platform,
    C: Execute + Unmarshal<'a>,
{
    let mut bytes = [0; 12];
    let mut handle_writer = Writer::new(&mut bytes);
    handles.iter().try_for_each(|handle| handle_writer.write(handle)).map_err(|Overflow| Rc::FAILURE)?;
    let handles = Reader::new(handle_writer.as_written(), parameters.supported()).read::<C::Handles>()?;

    // Borrowed from the result, so that it is not on the stack twice.
    match &execute::<P, C>(tpm, handles, parameters) {
        // The response buffer holds the largest response, so that nothing can go wrong behind the command's back.
        Ok(response) => write_response(response, tag, writer).map_err(|Overflow| tpm.fail(Failure::Response)),
        Err(rc) => Err(*rc),
    }
}

/// Reads the parameters and executes.
#[inline(never)] // What reading leaves on the stack is not there when the response is written.
fn execute<'a, P, C>(tpm: &mut Tpm<P>, handles: C::Handles, parameters: &mut Reader<'a>) -> Result<C::Response, Rc>
where
    P: Platform,
    C: Execute + Unmarshal<'a>,
{
    let command = parameters.read::<C>()?;
    parameters.finish()?;
    command.run(tpm, handles)
}

#[inline(never)] // What writing leaves on the stack was not there while the command was executed.
fn write_response<R: Response>(response: &R, tag: CommandTag, writer: &mut Writer<'_>) -> Result<usize, Overflow> {
    if let Some(handle) = response.handle() {
        writer.write(&handle)?;
    }
    if tag == CommandTag::Sessions {
        writer.write(&0u32)?;
    }
    let parameters_at = writer.written();
    response.marshal_parameters(writer)?;
    Ok(parameters_at)
}

#[cfg(test)]
mod tests;
