// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Authorized commands: handles exist and every HMAC is right, so that what stands behind the authorization is reached.
#![expect(clippy::panic, reason = "a fuzzer learns of a broken promise by a panic")]

use std::sync::OnceLock;

use evtpm_client::{Auth, Bind, Client, ClientError, Session, SessionOptions};
use evtpm_engine::{Profile, Tpm};
use evtpm_image::{State, restore};
use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_testing_support::{Direct, Noise};
use evtpm_tpm_wire::{
    Cc, Command, Handle, HandleArea, HashAlg, Reader, Supported, Tpm2bDigest, TpmSu, TpmaNv, TpmaSession,
    TpmiRhHierarchy, TpmiRhNvLegacyIndex, TpmsNvPublic, commands, for_each_command,
};

use super::tpm::machine;
use super::wire;

type Guest = Client<Direct, Noise>;

/// A sequence is as long as its input says, but not longer than a test run can wait for.
const COMMANDS: usize = 24;
const STORAGE_KEY: Handle = Handle(0x8100_0001);
const SIGNING_KEY: Handle = Handle(0x8100_0002);
const INDEX: Handle = Handle(0x0150_0001);
const INDEX_AUTH: &[u8] = b"index";

/// What a byte of the input names; the last ones come into being, or not, by what the sequence does.
const HANDLES: [Handle; 24] = [
    Handle::NULL,
    Handle::OWNER,
    Handle::ENDORSEMENT,
    Handle::PLATFORM,
    Handle::PLATFORM_NV,
    Handle::LOCKOUT,
    STORAGE_KEY,
    SIGNING_KEY,
    INDEX,
    Handle(0),
    Handle(10),
    Handle(16),
    Handle(23),
    Handle(0x8000_0000),
    Handle(0x8000_0001),
    Handle(0x8000_0002),
    Handle(0x8100_0003),
    Handle(0x8180_0000),
    Handle(0x0200_0000),
    Handle(0x0200_0001),
    Handle(0x0300_0000),
    Handle(0x0300_0002),
    Handle(0x0300_0003),
    Handle(0x0150_0002),
];

/// Commands after which the authValues, or whose names, are others than this guest believes: it cannot check the
/// HMAC of the response.
const CHANGES_AUTHORIZATION: [Cc; 6] =
    [Cc::HIERARCHY_CHANGE_AUTH, Cc::NV_CHANGE_AUTH, Cc::CLEAR, Cc::CHANGE_EPS, Cc::CHANGE_PPS, Cc::POLICY_PASSWORD];

/// The guest, and the sessions that it started: HMAC, bound and encrypting, policy.
struct Stage {
    guest: Guest,
    sessions: [Session; 3],
}

/// Runs one command of which handles and parameters are given; nothing if they cannot be read as such.
type Step = fn(&mut Stage, &mut Reader<'_>, &mut Reader<'_>, u8) -> Option<bool>;

macro_rules! steps {
    ($($name:ident)*) => {
        const STEPS: &[(Cc, Step)] = &[$((
            <commands::$name as Command>::SPEC.code,
            |stage, handles, parameters, choice| {
                let command: commands::$name = parameters.read().ok()?;
                Some(stage.run(handles.read().ok()?, &command, choice))
            },
        ),)*];
    };
}

for_each_command!(steps);

/// Runs a sequence on a TPM with two keys and an index; the input is, for each command, which one of the table, how
/// it is authorized, its handles as places in [`HANDLES`], and the size and the bytes of its parameters.
pub(super) fn sessions(input: &[u8]) -> bool {
    successes(input) > 0
}

fn successes(input: &[u8]) -> usize {
    let mut stage = Stage::new();
    let mut rest = input;
    let mut succeeded = 0;
    for _ in 0..COMMANDS {
        let Some(([command, choice, first, second, third, high, low], after)) = rest.split_first_chunk::<7>() else {
            break;
        };
        let size = usize::from(u16::from_be_bytes([*high, *low]) % 2049).min(after.len());
        let (parameters, after) = after.split_at(size);
        rest = after;
        let handles: Vec<u8> = [first, second, third]
            .into_iter()
            .flat_map(|place| HANDLES[usize::from(*place) % HANDLES.len()].0.to_be_bytes())
            .collect();
        let (_, step) = STEPS[usize::from(*command) % STEPS.len()];
        let (mut handles, mut parameters) = (Reader::permissive(&handles), Reader::permissive(parameters));
        succeeded += usize::from(step(&mut stage, &mut handles, &mut parameters, *choice) == Some(true));
    }
    succeeded
}

impl Stage {
    fn new() -> Self {
        static FROZEN: OnceLock<(State, State)> = OnceLock::new();
        let (permanent, volatile) = FROZEN.get_or_init(|| or_panic(freeze()));
        let tpm = or_panic(restore(machine(3), Profile::pc_client(), permanent, Some(volatile)));
        let mut guest = Client::new(Direct(tpm), Noise::Good(4));
        let bind = Some(Bind { handle: INDEX, auth_value: INDEX_AUTH });
        let sessions = [
            SessionOptions::HMAC,
            SessionOptions { bind, ..SessionOptions::HMAC }.encrypting(),
            SessionOptions::POLICY,
        ]
        .map(|options| or_panic(guest.start_session(options)));
        Self { guest, sessions }
    }

    /// Returns whether the command succeeded.
    fn run<K: Command>(&mut self, handles: K::Handles, command: &K, choice: u8) -> bool {
        let values: Vec<&[u8]> = handles.list().iter().map(|handle| auth_value(*handle)).collect();
        let [plain, bound, policy] = &mut self.sessions;
        // Two bits of the choice for each handle that is authorized, two for a further session, one for auditing.
        let mut free = [Some(plain), Some(bound), Some(policy)];
        let mut auths = Vec::new();
        for (position, value) in values.iter().enumerate().take(K::SPEC.authorizations()) {
            let session = free.get_mut(usize::from(choice >> (2 * position)) & 3).and_then(Option::take);
            auths.push(session.map_or(Auth::Password(value), |session| Auth::session_with(session, value)));
        }
        if let Some(session) = free.get_mut(usize::from(choice >> 4) & 3).and_then(Option::take) {
            let audit = if choice & 0x40 == 0 { TpmaSession(0) } else { TpmaSession::AUDIT };
            session.attributes = session.attributes.without(TpmaSession::AUDIT) | audit;
            auths.push(Auth::session(session));
        }
        judge(self.guest.run(handles, command, &mut auths).map(drop))
    }
}

/// Says whether a command succeeded, and panics if the TPM broke a promise.
fn judge(result: Result<(), ClientError>) -> bool {
    match result {
        Ok(()) => true,
        Err(ClientError::ResponseHmac { command }) if CHANGES_AUTHORIZATION.contains(&command) => true,
        Err(
            error @ (ClientError::Malformed { .. }
            | ClientError::ResponseHmac { .. }
            | ClientError::Name { .. }
            | ClientError::Transport { .. }),
        ) => panic!("{error}"),
        Err(_) => false,
    }
}

fn auth_value(handle: Handle) -> &'static [u8] {
    if handle == INDEX { INDEX_AUTH } else { &[] }
}

/// Makes the TPM that every sequence begins with.
fn freeze() -> Result<(State, State), Box<dyn std::error::Error>> {
    let mut tpm = Tpm::manufacture(machine(1), Profile::pc_client()).map_err(|error| format!("{error:?}"))?;
    tpm.power_on();
    let mut guest = Client::new(Direct(tpm), Noise::Good(2));
    guest.startup(TpmSu::Clear)?;
    let parent = guest.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key())?;
    let (private, public) = guest.create(&parent, &[], &attestation_key())?;
    let key = guest.load(&parent, &[], &private, &public)?;
    guest.make_persistent(&parent, &[], STORAGE_KEY)?;
    guest.make_persistent(&key, &[], SIGNING_KEY)?;
    guest.flush(key.handle)?;
    guest.flush(parent.handle)?;
    let index = TpmsNvPublic {
        nv_index: TpmiRhNvLegacyIndex::new(INDEX, &Supported::ALL).ok_or("no index")?,
        name_alg: HashAlg::Sha256,
        attributes: TpmaNv::AUTHREAD | TpmaNv::AUTHWRITE | TpmaNv::OWNERREAD | TpmaNv::OWNERWRITE | TpmaNv::NO_DA,
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: 64,
    };
    guest.nv_define(&index, &[], INDEX_AUTH)?;
    let Direct(mut tpm) = guest.into_transport();
    Ok((State::permanent(&mut tpm)?, State::volatile(&mut tpm)?))
}

fn or_panic<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("what every sequence begins with: {error}"))
}

/// Returns one command as the input has it.
fn step(code: Cc, choice: u8, handles: &[Handle], parameters: &[u8]) -> Vec<u8> {
    let place = |handle: Option<&Handle>| {
        handle.and_then(|handle| HANDLES.iter().position(|known| known == handle)).unwrap_or_default() as u8
    };
    let command = STEPS.iter().position(|(known, _)| *known == code).unwrap_or_default() as u8;
    let mut step = vec![command, choice, place(handles.first()), place(handles.get(1)), place(handles.get(2))];
    step.extend(u16::try_from(parameters.len()).unwrap_or_default().to_be_bytes());
    step.extend(parameters);
    step
}

pub(super) fn sessions_seeds() -> Vec<Vec<u8>> {
    // Every command with enough zeros for its parameters, authorized by a password, and by each session.
    let zeros = STEPS.iter().enumerate().map(|(number, (code, _))| {
        step(*code, number as u8, &[HANDLES[number % HANDLES.len()], STORAGE_KEY], &[0; 64])
    });
    zeros.chain(meant()).collect()
}

/// Sequences in which each command succeeds.
fn meant() -> [Vec<u8>; 4] {
    let write = |choice| step(Cc::NV_WRITE, choice, &[INDEX, INDEX], &[0, 4, 1, 2, 3, 4, 0, 0]);
    let read = |choice| step(Cc::NV_READ, choice, &[INDEX, INDEX], &[0, 64, 0, 0]);
    let extend = step(Cc::PCR_EVENT, 0x10, &[Handle(16)], &[0, 2, 7, 7]);
    let quote = step(Cc::QUOTE, 0x31, &[SIGNING_KEY], &[0, 1, 9, 0, 0x10, 0, 0, 0, 1, 0, 11, 3, 1, 0, 0]);
    let mut template = vec![0, 4, 0, 0, 0, 0];
    let public = wire::written(|writer| writer.write(&storage_root_key()).is_ok());
    template.extend(u16::try_from(public.len()).unwrap_or_default().to_be_bytes());
    template.extend(public);
    template.extend([0; 6]);
    let create = step(Cc::CREATE_PRIMARY, 0x31, &[Handle::OWNER], &template);
    let policy = [
        step(Cc::POLICY_COMMAND_CODE, 0xff, &[Handle(0x0300_0002)], &Cc::NV_READ.0.to_be_bytes()),
        step(Cc::POLICY_GET_DIGEST, 0xff, &[Handle(0x0300_0002)], &[]),
    ];
    [
        [write(0), read(0x31), read(0x10)].concat(),
        [write(0x31), read(0x41), extend, quote].concat(),
        create,
        policy.concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_are_meant_succeed_under_each_kind_of_session() {
        let counts = meant().map(|sequence| successes(&sequence));
        assert_eq!(counts, [3, 4, 1, 2]);
    }
}
