// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The content of a saved context: this TPM's own format, which nobody else reads and which dies with the TPM Reset.

use crate::algorithm;
use crate::memory::{OutOfMemory, Slots};
use crate::name;
use crate::state::{
    BankHashers, Binding, DaBound, Hierarchy, HmacState, Message, MessageOf, Nonce, Object, PolicyLimit, PolicyProof,
    PolicyState, Running, Safety, Sequence, SequenceKind, Session, SessionKind,
};
use crate::ticket;
use evtpm_crypto::{CMAC_STATE_SIZE, Cmac, Crypto, Digest, Hmac, MAX_HASH_STATE_SIZE, StreamingHash};
use evtpm_protocol::message::{Form, MessageHash};
use evtpm_tpm_wire::{
    Cc, Overflow, Rc, Reader, Secret, Tpm2bDigest, Tpm2bName, Tpm2bSensitive, TpmiRhHierarchy, TpmtPublicPlus, Writer,
    YesNo,
};

pub(crate) fn encode_object(object: &Object, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    writer.write(&ticket::selector(object.hierarchy))?;
    for flag in [object.primary, object.external, object.st_clear] {
        writer.write(&YesNo::from(flag))?;
    }
    writer.write(&object.qualified_name)?;
    writer.write(&object.public)?;
    match &object.sensitive {
        Some(sensitive) => writer.sized(sensitive),
        None => writer.write(&0u16),
    }
}

pub(crate) fn decode_object<C: Crypto>(reader: &mut Reader<'_>) -> Result<Object, Rc> {
    let hierarchy: Hierarchy = ticket::hierarchy(reader.read::<TpmiRhHierarchy>()?);
    let [primary, external, st_clear] =
        [reader.read::<YesNo>()?.is_yes(), reader.read::<YesNo>()?.is_yes(), reader.read::<YesNo>()?.is_yes()];
    let qualified_name: Tpm2bName = reader.read()?;
    let TpmtPublicPlus(public) = reader.read()?;
    let Tpm2bSensitive(sensitive) = reader.read()?;
    reader.finish()?;
    let name = name::of_object::<C>(&public);
    Ok(Object { public, sensitive, name, qualified_name, hierarchy, primary, external, st_clear })
}

pub(crate) fn encode_sequence<H: StreamingHash>(
    sequence: &Sequence<H>,
    writer: &mut Writer<'_>,
) -> Result<(), Overflow> {
    writer.write(&sequence.auth)?;
    match &sequence.kind {
        SequenceKind::Hash { hasher, safety } => {
            writer.write(&0u8)?;
            encode_hasher(&hasher.0, writer)?;
            encode_safety(*safety, writer)
        }
        SequenceKind::Hmac(mac) => {
            writer.write(&1u8)?;
            encode_hmac(mac, writer)
        }
        SequenceKind::Cmac(mac) => {
            writer.write(&3u8)?;
            writer.write(&Secret::<CMAC_STATE_SIZE>::new(&*mac.save())?)
        }
        SequenceKind::Event(hashers) => {
            writer.write(&2u8)?;
            encode_hashers(hashers, writer)
        }
        SequenceKind::Sign(message) => {
            writer.write(&4u8)?;
            encode_message(message, writer)
        }
        SequenceKind::Verify(message, ticket) => {
            writer.write(&5u8)?;
            encode_message(message, writer)?;
            encode_hmac(ticket, writer)
        }
    }
}

pub(crate) fn decode_sequence<H: StreamingHash>(reader: &mut Reader<'_>) -> Result<Sequence<H>, Rc> {
    let auth = reader.read()?;
    let kind = match reader.read::<u8>()? {
        0 => SequenceKind::Hash { hasher: Running(decode_hasher(reader)?), safety: decode_safety(reader)? },
        1 => SequenceKind::Hmac(decode_hmac(reader)?),
        3 => {
            let state: Secret<CMAC_STATE_SIZE> = reader.read()?;
            SequenceKind::Cmac(Cmac::restore(state.as_bytes()).ok_or(Rc::VALUE)?)
        }
        4 => SequenceKind::Sign(decode_message(reader)?),
        5 => SequenceKind::Verify(decode_message(reader)?, decode_hmac(reader)?),
        _ => SequenceKind::Event(decode_hashers(reader)?),
    };
    reader.finish()?;
    Ok(Sequence { auth, kind })
}

pub(crate) fn encode_hashers<H: StreamingHash>(
    hashers: &BankHashers<H>,
    writer: &mut Writer<'_>,
) -> Result<(), Overflow> {
    writer.write(&u8::try_from(hashers.iter().count()).map_err(|_| Overflow)?)?;
    hashers.iter().try_for_each(|hasher| encode_hasher(hasher, writer))
}

pub(crate) fn decode_hashers<H: StreamingHash>(reader: &mut Reader<'_>) -> Result<BankHashers<H>, Rc> {
    let count = usize::from(reader.read::<u8>()?);
    let mut hashers = Slots::reserve(count).map_err(|OutOfMemory| Rc::MEMORY)?;
    for _ in 0..count {
        hashers.insert(decode_hasher(reader)?).map_err(|OutOfMemory| Rc::MEMORY)?;
    }
    Ok(BankHashers::resume(hashers))
}

fn encode_message<H: StreamingHash>(message: &MessageOf<H>, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    write_digest(writer, &message.key)?;
    encode_safety(message.safety, writer)?;
    match &message.message {
        Message::Hashed(hash) => {
            writer.write(&match hash.form {
                Form::Digest => 0u8,
                Form::Representative => 1,
                Form::PreHash => 2,
                Form::Challenge => 3,
            })?;
            encode_hasher(&hash.hasher, writer)?;
            writer.write(&hash.context)
        }
        Message::Keyed(mac) => {
            writer.write(&4u8)?;
            encode_hmac(mac, writer)
        }
        Message::Whole { started } => {
            writer.write(&5u8)?;
            writer.write(&YesNo::from(*started))
        }
    }
}

fn decode_message<H: StreamingHash>(reader: &mut Reader<'_>) -> Result<MessageOf<H>, Rc> {
    let (key, safety) = (read_digest(reader)?, decode_safety(reader)?);
    let form = match reader.read::<u8>()? {
        0 => Form::Digest,
        1 => Form::Representative,
        2 => Form::PreHash,
        3 => Form::Challenge,
        4 => return Ok(MessageOf { key, message: Message::Keyed(decode_hmac(reader)?), safety }),
        _ => {
            let started = reader.read::<YesNo>()?.is_yes();
            return Ok(MessageOf { key, message: Message::Whole { started }, safety });
        }
    };
    let hash = MessageHash { form, hasher: decode_hasher(reader)?, context: reader.read()? };
    Ok(MessageOf { key, message: Message::Hashed(hash), safety })
}

fn encode_safety(safety: Safety, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    writer.write(&match safety {
        Safety::Undecided => 0u8,
        Safety::Safe => 1,
        Safety::Unsafe => 2,
    })
}

fn decode_safety(reader: &mut Reader<'_>) -> Result<Safety, Rc> {
    Ok(match reader.read::<u8>()? {
        0 => Safety::Undecided,
        1 => Safety::Safe,
        _ => Safety::Unsafe,
    })
}

fn encode_hmac<H: StreamingHash>(mac: &Hmac<H>, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    let (inner, outer) = mac.parts();
    encode_hasher(inner, writer)?;
    encode_hasher(outer, writer)
}

fn decode_hmac<H: StreamingHash>(reader: &mut Reader<'_>) -> Result<Hmac<H>, Rc> {
    Ok(Hmac::from_parts(decode_hasher(reader)?, decode_hasher(reader)?))
}

fn encode_hasher<H: StreamingHash>(hasher: &H, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    let mut state = Secret::<MAX_HASH_STATE_SIZE>::zeros(MAX_HASH_STATE_SIZE)?;
    let size = hasher.save(state.as_mut_bytes()).ok_or(Overflow)?;
    state.truncate(size);
    writer.write(&algorithm::wire_hash(hasher.alg()))?;
    writer.write(&state)
}

fn decode_hasher<H: StreamingHash>(reader: &mut Reader<'_>) -> Result<H, Rc> {
    let alg = algorithm::hash(reader.read()?).ok_or(Rc::HASH)?;
    let state: Secret<MAX_HASH_STATE_SIZE> = reader.read()?;
    H::restore(alg, state.as_bytes()).ok_or(Rc::VALUE)
}

pub(crate) fn encode_session(session: &Session, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    writer.write(&session.hash)?;
    writer.write(&session.key)?;
    writer.write(&session.nonce_tpm)?;
    writer.write(&session.symmetric)?;
    writer.write(&match session.da_bound {
        DaBound::No => 0u8,
        DaBound::Entity => 1,
        DaBound::Lockout => 2,
    })?;
    match &session.kind {
        SessionKind::Hmac(hmac) => {
            writer.write(&0u8)?;
            option(writer, hmac.bound.as_ref(), |writer, bound| {
                writer.write(&bound.name)?;
                writer.write(&bound.auth)
            })?;
            option(writer, hmac.audit.as_ref(), write_digest)
        }
        SessionKind::Policy(policy) => {
            writer.write(&1u8)?;
            encode_policy(policy, writer)
        }
    }
}

pub(crate) fn decode_session(reader: &mut Reader<'_>) -> Result<Session, Rc> {
    let session = Session {
        hash: reader.read()?,
        key: reader.read::<Secret<64>>()?,
        nonce_tpm: reader.read::<Nonce>()?,
        symmetric: reader.read()?,
        da_bound: match reader.read::<u8>()? {
            0 => DaBound::No,
            1 => DaBound::Entity,
            _ => DaBound::Lockout,
        },
        kind: match reader.read::<u8>()? {
            0 => SessionKind::Hmac(HmacState {
                bound: read_option(reader, |reader| Ok(Binding { name: reader.read()?, auth: reader.read()? }))?,
                audit: read_option(reader, read_digest)?,
            }),
            _ => SessionKind::Policy(decode_policy(reader)?),
        },
    };
    reader.finish()?;
    Ok(session)
}

fn encode_policy(policy: &PolicyState, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    writer.write(&YesNo::from(policy.trial))?;
    writer.write(&policy.started)?;
    writer.write(&policy.epoch)?;
    write_digest(writer, &policy.digest)?;
    option(writer, policy.timeout.as_ref(), |writer, timeout| writer.write(timeout))?;
    option(writer, policy.command_code.as_ref(), |writer, code| writer.write(&code.0))?;
    writer.write(&policy.locality)?;
    option(writer, policy.pcr_counter.as_ref(), |writer, counter| writer.write(counter))?;
    match &policy.limit {
        PolicyLimit::None => writer.write(&0u8)?,
        PolicyLimit::CpHash(digest) => limit(writer, 1, digest)?,
        PolicyLimit::NameHash(digest) => limit(writer, 2, digest)?,
        PolicyLimit::Template(digest) => limit(writer, 3, digest)?,
        PolicyLimit::Parameters(digest) => limit(writer, 4, digest)?,
    }
    writer.write(&match policy.proof {
        PolicyProof::None => 0u8,
        PolicyProof::AuthValue => 1,
        PolicyProof::Password => 2,
    })?;
    writer.write(&YesNo::from(policy.physical_presence))?;
    option(writer, policy.nv_written.as_ref(), |writer, written| writer.write(&YesNo::from(*written)))?;
    writer.write(&YesNo::from(policy.secure_channel))
}

fn decode_policy(reader: &mut Reader<'_>) -> Result<PolicyState, Rc> {
    Ok(PolicyState {
        trial: reader.read::<YesNo>()?.is_yes(),
        started: reader.read()?,
        epoch: reader.read()?,
        digest: read_digest(reader)?,
        timeout: read_option(reader, |reader| reader.read())?,
        command_code: read_option(reader, |reader| reader.read().map(Cc))?,
        locality: reader.read()?,
        pcr_counter: read_option(reader, |reader| reader.read())?,
        limit: match reader.read::<u8>()? {
            0 => PolicyLimit::None,
            1 => PolicyLimit::CpHash(read_digest(reader)?),
            2 => PolicyLimit::NameHash(read_digest(reader)?),
            3 => PolicyLimit::Template(read_digest(reader)?),
            _ => PolicyLimit::Parameters(read_digest(reader)?),
        },
        proof: match reader.read::<u8>()? {
            0 => PolicyProof::None,
            1 => PolicyProof::AuthValue,
            _ => PolicyProof::Password,
        },
        physical_presence: reader.read::<YesNo>()?.is_yes(),
        nv_written: read_option(reader, |reader| reader.read::<YesNo>().map(YesNo::is_yes))?,
        secure_channel: reader.read::<YesNo>()?.is_yes(),
    })
}

fn limit(writer: &mut Writer<'_>, kind: u8, digest: &Digest) -> Result<(), Overflow> {
    writer.write(&kind)?;
    write_digest(writer, digest)
}

fn write_digest(writer: &mut Writer<'_>, digest: &Digest) -> Result<(), Overflow> {
    writer.write(&Tpm2bDigest::new(digest.as_bytes())?)
}

fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, Rc> {
    Digest::from_slice(reader.read::<Tpm2bDigest>()?.as_bytes()).ok_or(Rc::SIZE)
}

fn option<T>(
    writer: &mut Writer<'_>,
    value: Option<&T>,
    write: impl FnOnce(&mut Writer<'_>, &T) -> Result<(), Overflow>,
) -> Result<(), Overflow> {
    writer.write(&YesNo::from(value.is_some()))?;
    value.map_or(Ok(()), |value| write(writer, value))
}

fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Rc>,
) -> Result<Option<T>, Rc> {
    if reader.read::<YesNo>()?.is_yes() { read(reader).map(Some) } else { Ok(None) }
}
