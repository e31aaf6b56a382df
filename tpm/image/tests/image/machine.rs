// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A machine whose noise repeats and whose clock the test sets, and commands as bytes.

use evtpm_engine::{Execution, Locality, Profile, Tpm};
use evtpm_testing_support::{Noise, TestPlatform};
use evtpm_tpm_wire::{Cc, Handle, Marshal, Writer};

/// A machine with this noise.
pub(crate) const fn machine(noise: u64) -> TestPlatform {
    TestPlatform::new(Noise::Good(noise))
}

pub(crate) type TestTpm = Tpm<TestPlatform>;

pub(crate) const STARTUP_CLEAR: [u8; 2] = [0, 0];
pub(crate) const STARTUP_STATE: [u8; 2] = [0, 1];

pub(crate) fn manufactured(noise: u64) -> TestTpm {
    Tpm::manufacture(machine(noise), Profile::pc_client()).unwrap()
}

pub(crate) fn started(noise: u64) -> TestTpm {
    let mut tpm = manufactured(noise);
    assert_eq!(rc(&send(&mut tpm, &command(Cc::STARTUP, &[], &[], &STARTUP_CLEAR))), 0);
    tpm
}

pub(crate) fn send(tpm: &mut TestTpm, command: &[u8]) -> Vec<u8> {
    let mut response = vec![0; 4096];
    match tpm.execute(Locality::ZERO, &mut command.to_vec(), &mut response) {
        Execution::Response(size) => response.truncate(size),
        other => panic!("{other:?}"),
    }
    response
}

pub(crate) fn rc(response: &[u8]) -> u32 {
    u32::from_be_bytes(response[6..10].try_into().unwrap())
}

/// What authorizes a handle.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Auth<'a> {
    Password(&'a [u8]),
    /// A session that is neither bound nor salted, for an empty authValue: its HMAC is empty.
    Session(u32),
}

pub(crate) const EMPTY: Auth<'static> = Auth::Password(&[]);

pub(crate) fn command(code: Cc, handles: &[u32], authorizations: &[Auth<'_>], parameters: &[u8]) -> Vec<u8> {
    let mut area = Vec::new();
    for authorization in authorizations {
        match authorization {
            Auth::Password(password) => {
                area.extend(Handle::PASSWORD.0.to_be_bytes());
                area.extend([0, 0, 0]);
                area.extend((password.len() as u16).to_be_bytes());
                area.extend(*password);
            }
            Auth::Session(handle) => {
                area.extend(handle.to_be_bytes());
                area.extend([0, 16]);
                area.extend([0xC1; 16]);
                area.extend([1, 0, 0]);
            }
        }
    }
    let mut bytes = vec![0x80, if area.is_empty() { 1 } else { 2 }, 0, 0, 0, 0];
    bytes.extend(code.0.to_be_bytes());
    bytes.extend(handles.iter().flat_map(|handle| handle.to_be_bytes()));
    if !area.is_empty() {
        bytes.extend((area.len() as u32).to_be_bytes());
        bytes.extend(area);
    }
    bytes.extend(parameters);
    let size = (bytes.len() as u32).to_be_bytes();
    bytes[2..6].copy_from_slice(&size);
    bytes
}

pub(crate) fn marshal(value: &impl Marshal) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut writer = Writer::new(&mut buffer);
    writer.write(value).unwrap();
    let size = writer.written();
    buffer.truncate(size);
    buffer
}
