// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host as QEMU is one: a control channel to our swtpm front, and a data channel that it passes over the former.

use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evtpm_tpmd::device::Device;
use evtpm_tpmd::endpoint::{Endpoint, Listener};
use evtpm_tpmd::fronts::swtpm;
use evtpm_tpmd::machine::{Machine, Shared};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// `CMD_SET_DATAFD`, the one request that carries a descriptor.
const SET_DATA_FD: [u8; 4] = [0, 0, 0, 0x10];

/// How long a TPM may think before the test gives up: the largest key of all takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

static SERIAL: AtomicUsize = AtomicUsize::new(0);

/// A folder of this process alone.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn scratch(purpose: &str) -> PathBuf {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("evtpm-{purpose}-{}-{serial}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files is there");
    folder
}

/// Connections to a TPM that is served in this process.
#[derive(Debug)]
pub struct Host {
    folder: PathBuf,
    control: UnixStream,
    data: Option<UnixStream>,
}

impl Host {
    /// Serves the device on a control channel and connects to it.
    ///
    /// # Panics
    /// When there is no socket to be had.
    #[must_use]
    pub fn serving(device: Box<dyn Device>) -> Self {
        let folder = scratch("host");
        let path = folder.join("ctrl");
        let listener = Listener::bind(&Endpoint::Unix(path.clone())).unwrap();
        let config = swtpm::Config { control: Some(listener), allow_set_locality: true, ..swtpm::Config::default() };
        let machine = Shared::new(Machine::new(device));
        std::thread::spawn(move || swtpm::serve(&machine, config).unwrap());
        let control = UnixStream::connect(path).unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { folder, control, data: None }
    }

    /// Sends a control request and returns the answer.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn control(&mut self, request: &[u8]) -> Vec<u8> {
        if request == SET_DATA_FD {
            self.pass_data_channel();
        } else {
            self.control.write_all(request).unwrap();
        }
        let mut answer = vec![0; 4096];
        let size = self.control.read(&mut answer).expect("the control channel answers");
        answer.truncate(size);
        answer
    }

    fn pass_data_channel(&mut self) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let descriptors = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let sent = sendmsg(&self.control, &[IoSlice::new(&SET_DATA_FD)], &mut ancillary, SendFlags::empty());
        assert_eq!(sent, Ok(SET_DATA_FD.len()));
        self.data = Some(ours);
    }

    /// Sends a TPM command and returns the response.
    ///
    /// # Panics
    /// When no data channel was passed, or the server does not answer.
    pub fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        let data = self.data.as_mut().expect("a data channel was passed");
        data.write_all(command).unwrap();
        let mut response = vec![0; 10];
        data.read_exact(&mut response).expect("the data channel answers");
        let size = u32::from_be_bytes([response[2], response[3], response[4], response[5]]);
        response.resize(usize::try_from(size).unwrap(), 0);
        data.read_exact(&mut response[10..]).unwrap();
        response
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Whatever stays behind is in the folder for temporary files.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
