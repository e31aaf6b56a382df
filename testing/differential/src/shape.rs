// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be read of a command that may be malformed: for the list of differences, and to see whether both sides were
//! told the same.

use evtpm_testing_foreign::packet::rewrite_parameters;
use evtpm_tpm_wire::{
    Cc, Handle, NvType, PublicAlg, PublicBody, Rc, Spec, Subject, Supported, TpmAlgId, TpmEo, TpmaNv, TpmaObject,
    TpmaSession, TpmtPublic, TpmtPublicPlus, from_bytes,
};

use crate::story::Case;
use crate::{differences, seal};

/// Tells whether the size of a command is the one that it says.
#[must_use]
pub fn has_its_size(command: &[u8]) -> bool {
    let size = command.get(2..6).map(|mut size| take(&mut size, 4));
    size.flatten().and_then(|size| usize::try_from(size).ok()) == Some(command.len())
}

/// The numbers of a session area, as far as they can be read: of each session the handle, the size of the nonce, the
/// attributes and the size of the HMAC.
#[must_use]
pub fn session_numbers(command: &[u8]) -> Vec<u32> {
    let mut numbers = Vec::new();
    if let Some((area, _)) = areas(command) {
        // It ends where something is missing.
        let _ = read_sessions(area, &mut numbers);
    }
    numbers
}

fn read_sessions(mut area: &[u8], numbers: &mut Vec<u32>) -> Option<()> {
    loop {
        numbers.push(take(&mut area, 4)?);
        numbers.push(take(&mut area, 2)?);
        area = area.get(usize::try_from(*numbers.last()?).ok()?..)?;
        numbers.push(take(&mut area, 1)?);
        numbers.push(take(&mut area, 2)?);
        area = area.get(usize::try_from(*numbers.last()?).ok()?..)?;
    }
}

/// The attributes of the session with this number, counted from 1.
#[must_use]
pub fn session_attributes(command: &[u8], number: u8) -> Option<TpmaSession> {
    let attributes = *session_numbers(command).get(4 * usize::from(number.checked_sub(1)?) + 2)?;
    u8::try_from(attributes).ok().map(TpmaSession)
}

/// Tells whether the first parameter is encrypted.
#[must_use]
pub fn is_encrypted(command: &[u8]) -> bool {
    (1..=3).filter_map(|number| session_attributes(command, number)).any(|used| used.contains(TpmaSession::DECRYPT))
}

/// The parameters, behind handles and sessions.
#[must_use]
pub fn parameters(command: &[u8]) -> &[u8] {
    areas(command).map_or(&[], |(_, parameters)| parameters)
}

/// How the parameters are read: as what their command wants, or the error that they are refused with. Of an encrypted one
/// nothing but the size is read.
#[must_use]
pub fn reading(command: &[u8]) -> Option<Result<(), Rc>> {
    let code = Cc(u32::from_be_bytes(*command.get(6..)?.first_chunk()?));
    let mut parameters = parameters(command).to_vec();
    if let Some((size, rest)) = parameters.split_first_chunk_mut().filter(|_| is_encrypted(command)) {
        rest.get_mut(..usize::from(u16::from_be_bytes(*size)))?.fill(0);
    }
    Some(rewrite_parameters(code, &parameters)?.map(drop))
}

fn areas(command: &[u8]) -> Option<(&[u8], &[u8])> {
    let code = Cc(u32::from_be_bytes(*command.get(6..)?.first_chunk()?));
    let rest = command.get(10 + 4 * seal::spec(code)?.handles()..)?;
    if !command.starts_with(&[0x80, 2]) {
        return Some((&[], rest));
    }
    let (size, rest) = rest.split_first_chunk()?;
    let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
    Some(rest.split_at_checked(size).unwrap_or((rest, &[])))
}

/// Takes a number of so many bytes.
fn take(bytes: &mut &[u8], size: usize) -> Option<u32> {
    let (number, rest) = bytes.split_at_checked(size)?;
    *bytes = rest;
    Some(number.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// Takes a buffer with a 16-bit size.
fn buffer<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let size = usize::try_from(take(bytes, 2)?).ok()?;
    let (content, rest) = bytes.split_at_checked(size)?;
    *bytes = rest;
    Some(content)
}

/// The parameters behind the first so many, which are buffers.
fn behind_buffers(case: &Case, count: usize) -> Option<&[u8]> {
    let mut parameters = parameters(&case.commands.ours);
    (0..count).try_for_each(|_| buffer(&mut parameters).map(drop))?;
    Some(parameters)
}

/// The public area in the second parameter of the commands that make or load an object.
#[must_use]
pub fn public(case: &Case) -> Option<TpmtPublic> {
    let mut parameters = parameters(&case.commands.ours);
    buffer(&mut parameters)?;
    from_bytes::<TpmtPublicPlus>(buffer(&mut parameters)?, &Supported::ALL).ok().map(|public| public.0)
}

/// The size of the symmetric key in the first parameter of `TPM2_LoadExternal`.
#[must_use]
pub fn symmetric_key_size(case: &Case) -> Option<u32> {
    let mut sensitive = parameters(&case.commands.ours);
    take(&mut sensitive, 2)?;
    let kind = take(&mut sensitive, 2)?;
    buffer(&mut sensitive)?;
    buffer(&mut sensitive)?;
    take(&mut sensitive, 2).filter(|_| kind == u32::from(TpmAlgId::SYMCIPHER.0))
}

/// The size of the longer coordinate of the point in the first parameter.
#[must_use]
pub fn coordinate_size(case: &Case) -> Option<u32> {
    let mut point = parameters(&case.commands.ours);
    take(&mut point, 2)?;
    let x = u32::try_from(buffer(&mut point)?.len()).ok()?;
    take(&mut point, 2).map(|y| x.max(y))
}

/// The size of the private area in the parameters of `TPM2_Load`, `TPM2_Rewrap` and `TPM2_Import`.
#[must_use]
pub fn private_size(case: &Case) -> Option<usize> {
    let before = match case.code {
        Cc::LOAD | Cc::REWRAP => 0,
        Cc::IMPORT => 2,
        _ => return None,
    };
    usize::try_from(take(&mut behind_buffers(case, before)?, 2)?).ok()
}

/// The attributes and the size of the data in the second parameter of `TPM2_NV_DefineSpace`.
#[must_use]
pub fn nv_public(case: &Case) -> Option<(u32, u32)> {
    let mut parameters = parameters(&case.commands.ours);
    buffer(&mut parameters)?;
    let mut public = buffer(&mut parameters)?;
    take(&mut public, 6)?;
    let attributes = take(&mut public, 4)?;
    buffer(&mut public)?;
    Some((attributes, take(&mut public, 2)?))
}

/// operandB, offset and operation of `TPM2_PolicyNV` and `TPM2_PolicyCounterTimer`.
#[must_use]
pub fn comparison(case: &Case) -> Option<(&[u8], u32, TpmEo)> {
    let mut parameters = parameters(&case.commands.ours);
    let (operand, offset) = (buffer(&mut parameters)?, take(&mut parameters, 2)?);
    let operation = u16::try_from(take(&mut parameters, 2)?).ok()?;
    Some((operand, offset, TpmEo::from_number(operation)?))
}

/// More seconds than a story takes on either clock.
pub const A_STORY: u32 = 60;

/// The expiration of `TPM2_PolicySigned` and `TPM2_PolicySecret`, in seconds: the fourth parameter, behind three buffers.
#[must_use]
pub fn expiration(case: &Case) -> Option<i32> {
    take(&mut behind_buffers(case, 3)?, 4).map(u32::cast_signed)
}

/// The timeout of `TPM2_PolicyTicket`, in milliseconds of Time, without the bit that says that it ends with a reset.
#[must_use]
pub fn timeout(case: &Case) -> Option<u64> {
    let timeout = buffer(&mut parameters(&case.commands.ours))?;
    Some(u64::from_be_bytes(timeout.try_into().ok()?) & (u64::MAX >> 1))
}

/// The new time of `TPM2_ClockSet`, in milliseconds.
#[must_use]
pub fn new_time(case: &Case) -> Option<u64> {
    let mut parameters = parameters(&case.commands.ours);
    let (high, low) = (take(&mut parameters, 4)?, take(&mut parameters, 4)?);
    Some(u64::from(high) << 32 | u64::from(low))
}

/// The handles.
pub fn handles(command: &[u8]) -> impl Iterator<Item = u32> {
    let code = command.get(6..).and_then(<[u8]>::first_chunk).map(|code| Cc(u32::from_be_bytes(*code)));
    let count = code.and_then(seal::spec).map_or(0, Spec::handles);
    let bytes = command.get(10..).unwrap_or_default();
    bytes.as_chunks::<4>().0.iter().take(count).map(|handle| u32::from_be_bytes(*handle))
}

/// Tells whether libtpms may follow a null pointer, and the process end: `TPM2_CertifyX509` without a key to sign with.
#[must_use]
pub fn crashes_libtpms(command: &[u8]) -> bool {
    command.get(6..10) == Some(&Cc::CERTIFY_X509.0.to_be_bytes()) && handles(command).nth(1) == Some(Handle::NULL.0)
}

/// Tells whether a change makes a list of commands name one that libtpms does not have, and would leave out of its audit.
#[must_use]
pub fn lists_commands_of_later_versions(command: &[u8]) -> bool {
    let has_list = [Cc::SET_COMMAND_CODE_AUDIT_STATUS, Cc::PP_COMMANDS]
        .map(|code| command.get(6..10) == Some(&code.0.to_be_bytes()));
    let is_later = |bytes: &[u8; 4]| differences::command(u32::from_be_bytes(*bytes)) && bytes.starts_with(&[0, 0]);
    has_list.contains(&true) && parameters(command).array_windows().any(is_later)
}

/// Tells whether our TPM finds fault with the attributes of a session of which something is true: its number, its
/// attributes, and how many handles are authorized.
#[must_use]
pub fn is_session(case: &Case, wanted: impl Fn(usize, TpmaSession, usize) -> bool) -> bool {
    let Some(Subject::Session(number)) = case.codes.ours.subject() else { return false };
    let Some(attributes) = session_attributes(&case.commands.ours, number) else { return false };
    let authorizations = seal::spec(case.code).map_or(0, Spec::authorizations);
    case.codes.ours.base() == Rc::ATTRIBUTES && wanted(usize::from(number), attributes, authorizations)
}

/// Tells whether a session does something besides authorizing.
#[must_use]
pub fn has_purpose(attributes: TpmaSession) -> bool {
    attributes.intersects(TpmaSession::DECRYPT | TpmaSession::ENCRYPT | TpmaSession::AUDIT)
}

/// MGF1, SM3, SM4, SM2, ECMQV, the key derivations, TDES, Camellia and Brainpool: what a mutated byte may name.
#[must_use]
pub fn names_algorithm_of_libtpms(case: &Case) -> bool {
    const NAMES: [u8; 9] = [0x03, 0x07, 0x12, 0x13, 0x1B, 0x1D, 0x20, 0x21, 0x26];
    let mutated = !case.changes.is_empty();
    mutated && case.commands.ours.windows(2).skip(10).any(|bytes| bytes[0] == 0 && NAMES.contains(&bytes[1]))
}

/// Tells whether the signature in an answer of ours is of one of these schemes, or what is asked for is.
#[must_use]
pub fn has_scheme(case: &Case, schemes: &[u8]) -> bool {
    [&case.commands.ours, &case.answers.ours]
        .iter()
        .any(|bytes| bytes.windows(4).any(|at| at[0] == 0 && schemes.contains(&at[1]) && at[2] == 0))
}

/// Tells whether a command makes, loads or tests a public area.
#[must_use]
pub fn makes_an_object(code: Cc) -> bool {
    matches!(
        code,
        Cc::CREATE
            | Cc::CREATE_PRIMARY
            | Cc::CREATE_LOADED
            | Cc::LOAD
            | Cc::LOAD_EXTERNAL
            | Cc::IMPORT
            | Cc::TEST_PARMS
    )
}

/// Tells whether both find fault with the same session, with these codes.
#[must_use]
pub fn session_code(case: &Case, theirs: Rc, ours: Rc) -> bool {
    matches!(case.codes.theirs.subject(), Some(Subject::Session(_)))
        && case.codes.theirs.subject() == case.codes.ours.subject()
        && case.codes.theirs.base() == theirs
        && case.codes.ours.base() == ours
}

/// Compares two descriptions of sessions that may differ by bit 2 of the attributes.
#[must_use]
pub fn only_audit_reset(theirs: &[u8], ours: &[u8]) -> bool {
    let cleared = |shape: &[u8]| {
        let text = String::from_utf8_lossy(shape).into_owned();
        let mut out = String::new();
        for part in text.split("TpmaSession(").enumerate() {
            match part {
                (0, before) => out += before,
                (_, rest) => {
                    let (number, after) = rest.split_once(')').unwrap_or((rest, ""));
                    out += &format!("{:?}{after}", number.parse::<u8>().map(|bits| bits & !4));
                }
            }
        }
        out
    };
    cleared(theirs) == cleared(ours)
}

/// A PIN with a lock that lasts.
#[must_use]
pub fn is_locked_pin(attributes: TpmaNv) -> bool {
    matches!(attributes.nv_type(), Some(NvType::PinFail | NvType::PinPass))
        && attributes.intersects(TpmaNv::GLOBALLOCK | TpmaNv::WRITEDEFINE)
}

/// An RSA key of which a number that must be odd is even.
#[must_use]
pub fn is_even(public: &TpmtPublic) -> bool {
    let PublicBody::Rsa { parms, unique } = &public.body else { return false };
    parms.exponent != 0 && parms.exponent.is_multiple_of(2)
        || unique.as_bytes().last().is_some_and(|last| last.is_multiple_of(2))
}

/// An RSA key whose exponent is odd and less than 7.
#[must_use]
pub const fn has_small_exponent(public: &TpmtPublic) -> bool {
    matches!(&public.body, PublicBody::Rsa { parms, .. } if matches!(parms.exponent, 3 | 5))
}

/// Tells whether a key may have the attribute for certificates, if it has.
#[must_use]
pub fn may_sign_certificates(public: &TpmtPublic) -> bool {
    let is_symmetric = matches!(public.kind(), PublicAlg::KeyedHash | PublicAlg::SymCipher);
    let attributes = public.object_attributes;
    !attributes.contains(TpmaObject::X509_SIGN) || !is_symmetric && attributes.contains(TpmaObject::SIGN)
}

/// Compares two lists of properties that may differ by inLockout, bit 9 of `TPM_PT_PERMANENT`.
#[must_use]
pub fn only_in_lockout(theirs: &[u8], ours: &[u8]) -> bool {
    const PERMANENT: &str = "(TpmPt(200), ";
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (theirs, ours) = (text(theirs), text(ours));
    let parts = |text: &str| {
        let (before, rest) = text.split_once(PERMANENT)?;
        let (value, after) = rest.split_once(')')?;
        Some((u32::from_str_radix(value, 16).ok()?, before.to_owned(), after.to_owned()))
    };
    let (Some((theirs, before, after)), Some(ours)) = (parts(&theirs), parts(&ours)) else { return false };
    ours == (theirs & !0x200, before, after)
}

/// Tells whether a transient object is not there that libtpms has put into the slot for a persistent one before it.
#[must_use]
pub fn names_a_slot_of_a_persistent_object(case: &Case) -> bool {
    let Some(number) =
        [Rc::REFERENCE_H0, Rc::REFERENCE_H1, Rc::REFERENCE_H2].iter().position(|rc| *rc == case.codes.ours)
    else {
        return false;
    };
    let kinds: Vec<u32> = handles(&case.commands.ours).map(|handle| handle >> 24).collect();
    kinds.get(number) == Some(&0x80) && kinds[..number].contains(&0x81)
}

/// Writes an empty SEQUENCE for the NULL behind the identifier of RSAPSS.
#[must_use]
pub fn with_empty_parameters(der: &[u8]) -> Vec<u8> {
    const IDENTIFIER: [u8; 11] = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
    let mut der = der.to_vec();
    if let Some(at) = der.windows(13).position(|bytes| bytes[..11] == IDENTIFIER && bytes[11..] == [5, 0]) {
        der[at + 11] = 0x30;
    }
    der
}
