// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a front listens: TCP, a unix socket, or a descriptor that the parent process handed down.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recv, recvmsg};

/// An address as a user writes it: `tcp:127.0.0.1:2321` or `unix:/run/tpm.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A path in the file system, made at start and removed at the end.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => write!(f, "tcp:{address}"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl std::str::FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err("unix: needs a path".into()) } else { Ok(Endpoint::Unix(path.into())) };
        }
        let address = text.strip_prefix("tcp:").unwrap_or(text);
        match address.parse::<u16>() {
            Ok(port) => Ok(Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))),
            Err(_) => address
                .parse()
                .map(Endpoint::Tcp)
                .map_err(|error| format!("`{text}` is neither tcp:ADDRESS:PORT, PORT nor unix:PATH ({error})")),
        }
    }
}

/// What a descriptor listens on; it does not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TCP.
    Tcp,
    /// A unix socket.
    Unix,
}

/// A bound endpoint.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket; the file is removed when the listener is dropped, if we made it.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a unix socket that we made. It is removed once and never again: the next program may have put its own there.
#[derive(Debug, Clone)]
pub struct SocketFile(Arc<(PathBuf, AtomicBool)>);

impl SocketFile {
    fn new(path: &Path) -> Self {
        SocketFile(Arc::new((path.to_owned(), AtomicBool::new(true))))
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.0
    }

    /// Removes it, unless that was done.
    pub fn remove(&self) {
        if self.0.1.swap(false, Ordering::SeqCst) {
            // Nothing can be done about a failure here, and the next start replaces a stale socket.
            drop(std::fs::remove_file(self.path()));
        }
    }
}

impl Listener {
    /// Binds an endpoint. A stale unix socket of an earlier run is replaced; any other file in its place is an error.
    ///
    /// # Errors
    /// When the address is taken, or the path is not a socket.
    pub fn bind(endpoint: &Endpoint) -> Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => TcpListener::bind(address).map(Listener::Tcp),
            Endpoint::Unix(path) => {
                // `symlink_metadata`: a link planted here must not make us remove what it points to (CVE-2020-28407's class).
                if let Ok(metadata) = path.symlink_metadata() {
                    anyhow::ensure!(metadata.file_type().is_socket(), "{} exists and is not a socket", path.display());
                    std::fs::remove_file(path).with_context(|| format!("removing the stale {}", path.display()))?;
                }
                UnixListener::bind(path).map(|listener| Listener::Unix(listener, Some(SocketFile::new(path))))
            }
        }
        .with_context(|| format!("listening on {endpoint}"))
    }

    /// Takes over descriptor `number` of this process, which must be a listening socket of this kind.
    ///
    /// # Errors
    /// When there is no such descriptor.
    pub fn inherited(number: i32, kind: Kind) -> Result<Self> {
        inherited_descriptor(number).map(|descriptor| Self::from_descriptor(descriptor, kind))
    }

    fn from_descriptor(descriptor: OwnedFd, kind: Kind) -> Self {
        match kind {
            Kind::Tcp => Listener::Tcp(descriptor.into()),
            Kind::Unix => Listener::Unix(descriptor.into(), None),
        }
    }

    /// Returns the file that ends with this listener.
    #[must_use]
    pub fn file(&self) -> Option<&SocketFile> {
        match self {
            Listener::Tcp(_) => None,
            Listener::Unix(_, file) => file.as_ref(),
        }
    }

    /// Returns the address that was really bound (the port, where 0 was asked for).
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Endpoint::Tcp),
            Listener::Unix(listener, _) => {
                let address = listener.local_addr()?;
                Ok(Endpoint::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned()))
            }
        }
    }

    /// Waits for the next client.
    ///
    /// # Errors
    /// When the listener was closed.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                // Every TPM answer is one small write that the peer waits for.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(listener, _) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(file) = self.file() {
            file.remove();
        }
    }
}

/// A socket that the parent process handed down, which says itself what it is for.
#[derive(Debug)]
pub enum Inherited {
    /// It waits for clients.
    Listening(Listener),
    /// It is connected to one.
    Connected(Stream),
}

impl Inherited {
    /// Takes over descriptor `number` of this process, which must be a socket of this kind.
    ///
    /// # Errors
    /// When there is no such descriptor, or it is no socket.
    pub fn new(number: i32, kind: Kind) -> Result<Self> {
        let descriptor = inherited_descriptor(number)?;
        let listens = socket_acceptconn(&descriptor).with_context(|| format!("descriptor {number} is not a socket"))?;
        Ok(if listens {
            Inherited::Listening(Listener::from_descriptor(descriptor, kind))
        } else {
            Inherited::Connected(descriptor.into())
        })
    }
}

/// A connected client.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket, or one end of a pair that the client passed to us.
    Unix(UnixStream),
}

impl Stream {
    /// Takes over descriptor `number` of this process, which must be a connected socket.
    ///
    /// # Errors
    /// When there is no such descriptor.
    pub fn inherited(number: i32) -> Result<Self> {
        Ok(Stream::Unix(UnixStream::from(inherited_descriptor(number)?)))
    }

    /// Makes a second handle on the same connection.
    ///
    /// # Errors
    /// When no descriptor is free.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Stream::Tcp(stream) => stream.try_clone().map(Stream::Tcp),
            Stream::Unix(stream) => stream.try_clone().map(Stream::Unix),
        }
    }

    /// Sets how long a read waits; without a time, for ever.
    ///
    /// # Errors
    /// When the time is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(timeout),
            Stream::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }

    /// Says whether the peer has closed, and nothing that it sent before is left to read.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match recv(self, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, bytes)) => bytes == 0,
            Err(error) => error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR,
        }
    }

    /// Ends the connection in both directions, so that a thread that reads from it wakes up.
    pub fn shutdown(&self) {
        // The peer may be gone already; then there is nothing to shut down.
        drop(match self {
            Stream::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both),
            Stream::Unix(stream) => stream.shutdown(std::net::Shutdown::Both),
        });
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl From<OwnedFd> for Stream {
    fn from(descriptor: OwnedFd) -> Self {
        Stream::Unix(UnixStream::from(descriptor))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(buffer),
            Stream::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Unix(stream) => stream.flush(),
        }
    }
}

/// Duplicates a descriptor of this process by its number, without trusting that the number is open: it goes through a socket to
/// ourselves, and what comes out is ours. The kernel looks the number up, so nothing here has to assume it. (`pidfd_getfd` would
/// do the same in one call, but the seccomp profile of containers refuses it.)
pub fn inherited_descriptor(number: i32) -> Result<OwnedFd> {
    let (here, there) = UnixStream::pair().context("making a socket for a descriptor")?;
    let byte = [0];
    let descriptors = [number];
    let message = [ControlMessage::ScmRights(&descriptors)];
    match sendmsg::<()>(here.as_raw_fd(), &[IoSlice::new(&byte)], &message, MsgFlags::empty(), None) {
        Err(Errno::EBADF) => bail!("descriptor {number} is not open"),
        sent => sent.with_context(|| format!("duplicating descriptor {number}"))?,
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&there, &mut [IoSliceMut::new(&mut [0])], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        .with_context(|| format!("duplicating descriptor {number}"))?;
    let received = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.with_context(|| format!("duplicating descriptor {number}: no descriptor is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_it_was_written() {
        for text in ["tcp:127.0.0.1:2321", "tcp:[::1]:7", "unix:/run/tpm.sock"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!("2321".parse::<Endpoint>().unwrap().to_string(), "tcp:127.0.0.1:2321");
    }

    #[test]
    fn a_bad_endpoint_names_itself() {
        let error = "somewhere".parse::<Endpoint>().unwrap_err();
        assert!(error.contains("`somewhere`"), "{error}");
        assert!("unix:".parse::<Endpoint>().is_err());
    }

    #[test]
    fn a_file_in_the_place_of_a_socket_is_left_alone() {
        let path = std::env::temp_dir().join(format!("evtpm-endpoint-{}", std::process::id()));
        std::fs::write(&path, b"precious").unwrap();
        assert!(Listener::bind(&Endpoint::Unix(path.clone())).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_socket_in_the_place_of_one_that_was_removed_is_another_s() {
        let endpoint = Endpoint::Unix(std::env::temp_dir().join(format!("evtpm-socket-{}", std::process::id())));
        let first = Listener::bind(&endpoint).unwrap();
        first.file().unwrap().remove();
        let second = Listener::bind(&endpoint).unwrap();
        drop(first);
        assert!(second.file().unwrap().path().exists());
        drop(second);
        assert!(!Path::new(&endpoint.to_string()["unix:".len()..]).exists());
    }

    #[test]
    fn a_number_gives_a_descriptor_of_the_same_file_and_a_closed_one_an_error() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut duplicate = Stream::inherited(there.as_raw_fd()).unwrap();
        drop(there);
        here.write_all(b"x").unwrap();
        let mut byte = [0];
        duplicate.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"x");
        assert_eq!(inherited_descriptor(9_999).unwrap_err().to_string(), "descriptor 9999 is not open");
        assert_eq!(inherited_descriptor(-1).unwrap_err().to_string(), "descriptor -1 is not open");
    }

    #[test]
    fn a_stream_is_closed_when_its_peer_is_gone_and_everything_was_read() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut there = Stream::Unix(there);
        assert!(!there.is_closed());
        here.write_all(b"x").unwrap();
        drop(here);
        assert!(!there.is_closed());
        there.read_exact(&mut [0]).unwrap();
        assert!(there.is_closed());
    }
}
