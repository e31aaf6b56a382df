// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ways to the TPM from inside a guest, and to a software TPM where there is no guest.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result};
use evtpm_client::{Transport, TransportError};

/// The largest response that the kernel's driver hands out (`TPM_BUFSIZE`).
const MAX_RESPONSE: usize = 4096;

/// Where Linux has TPMs. Without a resource manager of the kernel, there is the second one alone.
const DEVICES: [&str; 2] = ["/dev/tpmrm0", "/dev/tpm0"];

/// Bytes before the parameters of a response: tag, size, code.
const HEADER: usize = 10;

/// A TPM, however it is reached.
#[derive(Debug)]
pub struct Tpm(Way);

#[derive(Debug)]
enum Way {
    /// The kernel's device: `/dev/tpmrm0`, where every user has objects and sessions of its own.
    Device(File),
    /// The data channel of a software TPM (swtpm's protocol: bare commands and responses).
    Tcp(TcpStream),
    /// The same, over a local socket.
    Unix(UnixStream),
}

impl Tpm {
    /// Opens a device by its path, or connects to tcp:HOST:PORT or unix:PATH; `auto` is the kernel's TPM, by preference
    /// the device in which every user has objects and sessions of its own.
    ///
    /// # Errors
    /// When there is none, or this process may not use it.
    pub fn open(place: &str) -> Result<Self> {
        if place == "auto" {
            let found = DEVICES.iter().find(|device| Path::new(device).exists());
            return Self::open(found.with_context(|| format!("this machine has no TPM ({})", DEVICES.join(", ")))?);
        }
        let way = if let Some(address) = place.strip_prefix("tcp:") {
            TcpStream::connect(address).and_then(|stream| stream.set_nodelay(true).map(|()| Way::Tcp(stream)))
        } else if let Some(path) = place.strip_prefix("unix:") {
            UnixStream::connect(path).map(Way::Unix)
        } else {
            OpenOptions::new().read(true).write(true).open(Path::new(place)).map(Way::Device)
        };
        way.map(Tpm).with_context(|| format!("opening the TPM {place}"))
    }
}

impl Transport for Tpm {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        match &mut self.0 {
            Way::Device(device) => {
                device.write_all(command).map_err(TransportError::new)?;
                response.resize(MAX_RESPONSE, 0);
                // The driver gives one whole response to one read.
                let length = device.read(response).map_err(TransportError::new)?;
                response.truncate(length);
                Ok(())
            }
            Way::Tcp(stream) => over_stream(stream, command, response),
            Way::Unix(stream) => over_stream(stream, command, response),
        }
    }
}

/// On a stream, the response says itself how long it is.
fn over_stream(stream: &mut (impl Read + Write), command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
    stream.write_all(command).map_err(TransportError::new)?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).map_err(TransportError::new)?;
    let [_, _, size @ .., _, _, _, _] = header;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if !(HEADER..=MAX_RESPONSE).contains(&size) {
        return Err(TransportError::new(format!("a response of {size} bytes")));
    }
    response.clear();
    response.extend(header);
    response.resize(size, 0);
    stream.read_exact(&mut response[HEADER..]).map_err(TransportError::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every command with the same bytes.
    fn answering(bytes: &'static [u8]) -> Tpm {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut command = [0; 4];
            theirs.read_exact(&mut command).unwrap();
            theirs.write_all(bytes).unwrap();
        });
        Tpm(Way::Unix(ours))
    }

    #[test]
    fn a_response_on_a_stream_is_as_long_as_it_says() {
        let mut response = vec![1, 2, 3];
        answering(b"\x80\x01\0\0\0\x0C\0\0\0\0ok--more").transmit(b"four", &mut response).unwrap();
        assert_eq!(response, b"\x80\x01\0\0\0\x0C\0\0\0\0ok");
    }

    #[test]
    fn a_response_that_says_nonsense_of_its_size_is_refused() {
        for bytes in [b"\x80\x01\xFF\xFF\xFF\xFF\0\0\0\0", b"\x80\x01\0\0\0\x09\0\0\0\0"] {
            assert!(answering(bytes).transmit(b"four", &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_tpm_that_is_not_there_is_named() {
        for place in ["/nowhere/tpm", "unix:/nowhere/socket", "tcp:127.0.0.1:1"] {
            let error = Tpm::open(place).unwrap_err();
            assert!(error.to_string().contains(place), "{error}");
        }
    }
}
