// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A deterministic platform, and a way to send commands as bytes, for the tests of this crate.

mod answers;
mod crypto;
pub(crate) mod objects;
mod session;

pub(crate) use crypto::TestCrypto;
pub(crate) use session::{SessionUse, Start, TestSession, Use};

use crate::work::Work;
use crate::{Execution, Locality, Platform, Profile, Tpm};
use evtpm_crypto::drbg::RandomGenerator;
use evtpm_crypto::entropy::NoiseSource;
use evtpm_tpm_wire::{Cc, Command, CommandTag, Handle, Marshal, Rc, Reader, Response, TpmSu, Writer, commands};
use std::sync::OnceLock;
use std::vec;
use std::vec::Vec;

/// A platform whose clock stands until it is set and whose noise repeats from run to run.
#[derive(Debug, Clone)]
pub(crate) struct TestPlatform {
    pub(crate) now: u64,
    pub(crate) present: bool,
    pub(crate) noise: TestNoise,
}

/// splitmix64, or a stuck source.
#[derive(Debug, Clone)]
pub(crate) enum TestNoise {
    Running(u64),
    Stuck(u64),
}

impl NoiseSource for TestNoise {
    fn sample(&mut self) -> Option<u64> {
        let state = match self {
            Self::Stuck(value) => return Some(*value),
            Self::Running(state) => state,
        };
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = *state;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(value ^ (value >> 31))
    }
}

impl TestPlatform {
    pub(crate) fn new() -> Self {
        Self { now: 1_000, present: false, noise: TestNoise::Running(7) }
    }
}

impl Platform for TestPlatform {
    type Crypto = TestCrypto;
    type Noise = TestNoise;

    fn noise(&mut self) -> &mut TestNoise {
        &mut self.noise
    }

    fn now_ms(&mut self) -> u64 {
        self.now
    }

    fn physical_presence(&self) -> bool {
        self.present
    }
}

pub(crate) type TestTpm = Tpm<TestPlatform>;

/// A manufactured TPM that waits for `TPM2_Startup`.
pub(crate) fn powered() -> TestTpm {
    Tpm::manufacture(TestPlatform::new(), Profile::pc_client()).unwrap()
}

/// A TPM after Startup(CLEAR): a copy of one that was really started, since most of what a short test costs is the start.
pub(crate) fn started() -> TestTpm {
    static STARTED: OnceLock<TestTpm> = OnceLock::new();
    STARTED.get_or_init(|| started_as(Profile::pc_client())).twin()
}

/// A TPM of this profile after Startup(CLEAR).
pub(crate) fn started_as(profile: Profile) -> TestTpm {
    let mut tpm = Tpm::manufacture(TestPlatform::new(), profile).unwrap();
    tpm.send(&commands::Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    tpm
}

impl TestTpm {
    /// Another TPM in the same state.
    fn twin(&self) -> Self {
        Self {
            platform: self.platform.clone(),
            profile: self.profile.clone(),
            generator: self.generator.as_ref().map(RandomGenerator::twin),
            phase: self.phase,
            state: self.state.clone(),
            clock: self.clock.clone(),
            da: self.da.clone(),
            locality: self.locality,
            work: Work::reserve().unwrap(),
            may_differ: self.may_differ,
        }
    }

    /// Sends a command at locality 0, authorizes each handle that needs it with the empty password, and reads the response.
    pub(crate) fn send<C: Command>(&mut self, command: &C, handles: C::Handles) -> Result<C::Response, Rc> {
        self.send_at(Locality::ZERO, command, handles, &[])
    }

    /// Sends a command with passwords for its handles; a missing one is the empty password.
    pub(crate) fn send_at<C: Command>(
        &mut self,
        locality: Locality,
        command: &C,
        handles: C::Handles,
        passwords: &[&[u8]],
    ) -> Result<C::Response, Rc> {
        let bytes = password_command(command, handles, passwords);
        self.exchange::<C>(locality, bytes)
    }

    /// Sends a whole command and reads the response as the command's.
    pub(crate) fn exchange<C: Command>(&mut self, locality: Locality, bytes: Vec<u8>) -> Result<C::Response, Rc> {
        let response = self.raw_at(locality, bytes);
        let sessions = response[1] == 2;
        let rc = Rc::from_raw(u32::from_be_bytes(response[6..10].try_into().unwrap()));
        if !rc.is_success() {
            assert_eq!(response.len(), 10, "an error is a header alone");
            return Err(rc);
        }
        let handle_end = if C::SPEC.returns_handle { 14 } else { 10 };
        let (start, end) = if sessions {
            let size = u32::from_be_bytes(response[handle_end..handle_end + 4].try_into().unwrap()) as usize;
            (handle_end + 4, handle_end + 4 + size)
        } else {
            (handle_end, response.len())
        };
        let mut handles = Reader::permissive(&response[10..handle_end]);
        let mut parameters = Reader::permissive(&response[start..end]);
        let value = C::Response::unmarshal(&mut handles, &mut parameters).unwrap();
        assert!(parameters.is_empty(), "the response holds exactly its parameters");
        Ok(value)
    }

    /// Sends bytes at locality 0 and gives the bytes of the response.
    pub(crate) fn raw(&mut self, command: Vec<u8>) -> Vec<u8> {
        self.raw_at(Locality::ZERO, command)
    }

    /// Sends bytes at a locality; whatever a test is about, a failure must not have changed the state.
    pub(crate) fn raw_at(&mut self, locality: Locality, mut command: Vec<u8>) -> Vec<u8> {
        let mut response = vec![0; self.profile.limits.response_size];
        let mut before = self.state.clone();
        match self.execute(locality, &mut command, &mut response) {
            Execution::Response(size) => response.truncate(size),
            Execution::Pending(pending) => panic!("the command waits for the host: {pending:?}"),
        }
        if response[6..10] != [0; 4] {
            // "Another exception is state deliberately changed as a result of the error, such as ... NV PIN Fail index values."
            for pin in self.state.nv.iter().filter(|index| index.is_pin()) {
                before.nv.index_mut(pin.handle()).unwrap().data = pin.data.clone();
            }
            assert!(self.state == before, "a command that fails leaves the TPM as it was");
        }
        assert_eq!(response.len(), u32::from_be_bytes(response[2..6].try_into().unwrap()) as usize);
        response
    }

    /// Sends bytes and gives the response code.
    pub(crate) fn rc(&mut self, command: Vec<u8>) -> Rc {
        Rc::from_raw(u32::from_be_bytes(self.raw(command)[6..10].try_into().unwrap()))
    }
}

/// Builds a command whose handles are authorized by passwords.
pub(crate) fn password_command<C: Command>(command: &C, handles: C::Handles, passwords: &[&[u8]]) -> Vec<u8> {
    let mut area = Vec::new();
    for number in 0..C::SPEC.authorizations() {
        let password = passwords.get(number).copied().unwrap_or_default();
        area.extend(Handle::PASSWORD.0.to_be_bytes());
        area.extend([0, 0, 0]);
        area.extend((password.len() as u16).to_be_bytes());
        area.extend(password);
    }
    command_bytes(C::SPEC.code, &marshal(&handles), &area, &marshal(command))
}

/// Joins the parts of a command; without an authorization area the tag is `TPM_ST_NO_SESSIONS`.
pub(crate) fn command_bytes(code: Cc, handles: &[u8], sessions: &[u8], parameters: &[u8]) -> Vec<u8> {
    let tag = if sessions.is_empty() { CommandTag::NoSessions } else { CommandTag::Sessions };
    let mut bytes = tag.number().to_be_bytes().to_vec();
    bytes.extend([0; 4]);
    bytes.extend(code.0.to_be_bytes());
    bytes.extend(handles);
    if !sessions.is_empty() {
        bytes.extend((sessions.len() as u32).to_be_bytes());
        bytes.extend(sessions);
    }
    bytes.extend(parameters);
    let size = (bytes.len() as u32).to_be_bytes();
    bytes[2..6].copy_from_slice(&size);
    bytes
}

/// Marshals a value into a vector.
pub(crate) fn marshal(value: &impl Marshal) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    let mut writer = Writer::new(&mut buffer);
    writer.write(value).unwrap();
    let size = writer.written();
    buffer.truncate(size);
    buffer
}
