// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server: one host with its processor, one thread per connection.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{BufReader, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use evtpm_snp::{GuestMessage, GuestPolicy, PageType, SigningKey, Status};
use evtpm_sp_sim::{
    Authority, GuestHandle, Host, Identification, LaunchFinish, LaunchPage, LaunchStart, Processor, Product, Refusal,
};

use crate::config::Config;
use crate::error::Error;
use crate::wire::{self, CertificateKind, Request, Response};

/// The most connections at a time; another one is closed at once.
const MAX_CONNECTIONS: usize = 64;

/// What happens at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server listens.
    Listening {
        /// The path of the socket.
        socket: PathBuf,
    },
    /// A client connected.
    Connected,
    /// A client was turned away, since there are too many.
    TurnedAway,
    /// A client is gone; with a reason, if it did not leave in good order.
    Disconnected {
        /// The reason.
        error: Option<String>,
    },
}

/// A server whose socket exists.
pub struct Server {
    listener: UnixListener,
    shared: Arc<Shared>,
}

struct Shared {
    host: Mutex<Host>,
    product: Product,
    socket: PathBuf,
    connections: AtomicUsize,
    stopped: AtomicBool,
    on_event: fn(&Event),
}

impl Shared {
    /// No lock is held while anything can panic; were it so, the host's state would still be whole.
    fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a server from another thread.
#[derive(Clone)]
pub struct Stop(Arc<Shared>);

impl Stop {
    /// Makes [`Server::serve`] return; connections that exist are served on.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        // A connection wakes the server up; if there is no server to wake, all is well.
        drop(UnixStream::connect(&self.0.socket));
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.0.socket).finish()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("socket", &self.shared.socket).finish_non_exhaustive()
    }
}

impl Server {
    /// Powers the platform on and makes the socket, for its owner alone; a socket that nobody listens on is replaced.
    ///
    /// # Errors
    /// The platform cannot exist, there is no entropy, or the socket cannot be made.
    pub fn bind(config: Config) -> Result<Self, Error> {
        let entropy = config.entropy()?;
        let product = config.platform.product;
        let processor = Processor::new(config.platform, &entropy)?;
        let table = if config.certificates { Some(processor.certificate_table()?) } else { None };
        let mut host = Host::new(processor);
        if let Some(table) = table {
            host.install_certificates(table);
        }

        let listener = listen(&config.socket)?;
        let shared = Shared {
            host: Mutex::new(host),
            product,
            socket: config.socket,
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            on_event: config.on_event,
        };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Returns a handle with which the server can be stopped.
    #[must_use]
    pub fn stop_handle(&self) -> Stop {
        Stop(Arc::clone(&self.shared))
    }

    /// Serves connections until it is stopped.
    ///
    /// # Errors
    /// Accepting connections fails.
    pub fn serve(self) -> Result<(), Error> {
        let on_event = self.shared.on_event;
        on_event(&Event::Listening { socket: self.shared.socket.clone() });
        for stream in self.listener.incoming() {
            if self.shared.stopped.load(Ordering::SeqCst) {
                break;
            }
            let stream = stream?;
            if self.shared.connections.fetch_add(1, Ordering::SeqCst) >= MAX_CONNECTIONS {
                self.shared.connections.fetch_sub(1, Ordering::SeqCst);
                on_event(&Event::TurnedAway);
                continue;
            }
            let shared = Arc::clone(&self.shared);
            thread::spawn(move || {
                on_event(&Event::Connected);
                let result = Connection { shared: &shared, guests: BTreeSet::new() }.serve(stream);
                shared.connections.fetch_sub(1, Ordering::SeqCst);
                on_event(&Event::Disconnected { error: result.err().map(|error| error.to_string()) });
            });
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The path is ours as long as we listen; if somebody took it away there is nothing left to do.
        drop(fs::remove_file(&self.shared.socket));
    }
}

fn listen(path: &Path) -> Result<UnixListener, Error> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(Error::InUse);
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// One client, with the guests that it launched.
struct Connection<'a> {
    shared: &'a Shared,
    guests: BTreeSet<GuestHandle>,
}

impl Connection<'_> {
    fn serve(&mut self, stream: UnixStream) -> Result<(), Error> {
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        wire::greet(&mut Duplex { reader: &mut reader, writer: &mut writer })?;
        while let Some(frame) = wire::read_frame(&mut reader)? {
            let response = match Request::decode(&frame) {
                Ok(request) => self.answer(request),
                Err(_) => Response::NotUnderstood,
            };
            wire::write_frame(&mut writer, &response.encode())?;
        }
        Ok(())
    }

    fn answer(&mut self, request: Request) -> Response {
        let result = match request {
            Request::LaunchStart { policy, gosvw } => {
                self.launch_start(LaunchStart { policy: GuestPolicy(policy), gosvw })
            }
            Request::LaunchUpdate { guest, page_type, gpa, vmpl_permissions, mut contents } => {
                self.own(guest).and_then(|guest| {
                    let page_type = PageType::from_number(page_type).ok_or(Status::INVALID_PARAM)?;
                    let page = LaunchPage { page_type, gpa, vmpl_permissions, contents: &mut contents };
                    self.shared.host().processor().launch_update(guest, page)?;
                    Ok(Response::Page(contents))
                })
            }
            Request::LaunchFinish { guest, host_data, identification } => self.own(guest).and_then(|guest| {
                let identification = identification.as_deref().map(|(block, auth, author_key_enabled)| {
                    Identification { block, auth, author_key_enabled: *author_key_enabled }
                });
                let finish = LaunchFinish { identification, host_data };
                self.shared.host().processor().launch_finish(guest, &finish)?;
                Ok(Response::Done)
            }),
            Request::Message { guest, message, certificates } => self
                .own(guest)
                .map_or_else(
                    |status| Err(Refusal::Firmware(status)),
                    |guest| self.guest_request(guest, &message, certificates),
                )
                .or_else(|refusal| Ok(Response::Refused(refusal))),
            Request::Decommission { guest } => self.own(guest).and_then(|guest| {
                self.guests.remove(&guest);
                self.shared.host().processor().decommission(guest)?;
                Ok(Response::Done)
            }),
            Request::Certificate(kind) => self.certificate(kind).map(Response::Certificate),
            Request::Misbehave(plan) => {
                self.shared.host().misbehave(plan);
                Ok(Response::Done)
            }
        };
        result.unwrap_or_else(|status| Response::Refused(Refusal::Firmware(status)))
    }

    /// The guests of another connection do not exist for this one.
    fn own(&self, guest: u32) -> Result<GuestHandle, Status> {
        self.guests.get(&GuestHandle(guest)).copied().ok_or(Status::INVALID_GUEST)
    }

    fn launch_start(&mut self, start: LaunchStart) -> Result<Response, Status> {
        let guest = self.shared.host().processor().launch_start(&start)?;
        self.guests.insert(guest);
        Ok(Response::Guest(guest.0))
    }

    fn guest_request(
        &self,
        guest: GuestHandle,
        message: &GuestMessage,
        certificates: Option<u32>,
    ) -> Result<Response, Refusal> {
        let mut response = Box::new(GuestMessage::zeroed());
        let mut buffer = certificates.map(|size| vec![0; size as usize]);
        self.shared.host().guest_request(guest, message, &mut response, buffer.as_deref_mut())?;
        Ok(Response::Message { message: response, certificates: buffer.unwrap_or_default() })
    }

    fn certificate(&self, kind: CertificateKind) -> Result<Vec<u8>, Status> {
        let mut host = self.shared.host();
        let certificate = match kind {
            CertificateKind::Authority(role) => Authority::new(self.shared.product).certificate(role),
            CertificateKind::Vcek => host.processor().endorsement_certificate(SigningKey::Vcek),
            CertificateKind::Vlek => host.processor().endorsement_certificate(SigningKey::Vlek),
            CertificateKind::Table => host.processor().certificate_table(),
        };
        certificate.map_err(|error| match error {
            evtpm_sp_sim::Error::NoVlek => Status::INVALID_KEY,
            other => other.into(),
        })
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        let mut host = self.shared.host();
        for guest in &self.guests {
            // Each is still there: only its connection could have decommissioned it.
            let _gone = host.processor().decommission(*guest);
        }
    }
}

/// Both directions of a connection as one stream.
struct Duplex<'a, R, W> {
    reader: &'a mut R,
    writer: &'a mut W,
}

impl<R: std::io::Read, W> std::io::Read for Duplex<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl<R, W: std::io::Write> std::io::Write for Duplex<'_, R, W> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}
