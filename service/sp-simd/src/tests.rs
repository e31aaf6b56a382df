// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A server and its clients over a real socket.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use evtpm_snp::cert_table::{self, CertTable};
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_snp::{GuestMessage, GuestPolicy, MessageType, PAGE_SIZE, PageType, Report, Status};
use evtpm_sp_sim::{
    Authority, GuestHandle, Host, LaunchFinish, LaunchPage, LaunchStart, Misbehaviour, Platform, Processor, Product,
    Refusal, Role,
};
use evtpm_svsm::{ChannelError, GuestChannel, HostError};

use crate::{CertificateKind, Channel, Client, Config, Error, Firmware, Launched, Server, Stop, launch};

const START: LaunchStart = LaunchStart::new(GuestPolicy(0x3_0000));

struct Running {
    socket: PathBuf,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let socket = std::env::temp_dir().join(format!("evtpm-sp-simd-{}-{number}", std::process::id()));
        let mut config = Config::new(&socket, Product::Milan, [3; 32]);
        config.entropy = Some([5; 32]);
        let server = Server::bind(config).unwrap();
        let stop = server.stop_handle();
        let thread = thread::spawn(move || server.serve().unwrap());
        Self { socket, stop, thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client::connect(&self.socket).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        self.thread.take().unwrap().join().unwrap();
        assert!(!self.socket.exists());
    }
}

fn start_guest(firmware: &mut impl Firmware) -> Launched {
    let (code, zeros) = ([0x90; PAGE_SIZE], [0; PAGE_SIZE]);
    let pages = [(PageType::Normal, 0x1000, &code), (PageType::Secrets, 0x2000, &zeros)];
    launch(firmware, &START, pages, &LaunchFinish { identification: None, host_data: [7; 32] }).unwrap()
}

fn report(channel: &mut GuestChannel, processor: &mut Channel<impl Firmware>) -> Result<Report, ChannelError> {
    let request = ReportRequest::new([9; 64], 0, KeySelect::Auto);
    let answer = channel.request(processor, MessageType::ReportRequest, request.as_bytes(), None)?;
    Ok(ReportResponse::parse(answer).unwrap().unwrap())
}

#[test]
fn a_guest_behind_the_socket_has_the_report_of_one_in_the_process() {
    let running = Running::start();
    let mut client = running.client();
    let remote = start_guest(&mut client);
    let mut local_host = Host::new(Processor::new(Platform::new(Product::Milan, [3; 32]), &[5; 32]).unwrap());
    let local = start_guest(&mut local_host);
    assert_eq!(remote.secrets, local.secrets);

    let report_of = |launched: Launched, firmware: &mut dyn Firmware| {
        let mut channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
        report(&mut channel, &mut Channel::new(firmware, launched.guest)).unwrap()
    };
    let (remote, local) = (report_of(remote, &mut client), report_of(local, &mut local_host));
    assert_eq!(remote.as_bytes(), local.as_bytes());
    assert_eq!((remote.host_data(), remote.vmpl()), (&[7; 32], 0));
}

#[test]
fn certificates_come_from_the_server() {
    let running = Running::start();
    let mut client = running.client();
    let ark = client.certificate(CertificateKind::Authority(Role::Ark)).unwrap();
    assert_eq!(ark, Authority::new(Product::Milan).certificate(Role::Ark).unwrap());
    let table = client.certificate(CertificateKind::Table).unwrap();
    let vcek = client.certificate(CertificateKind::Vcek).unwrap();
    assert_eq!(CertTable::parse(&table).unwrap().get(cert_table::VCEK), Some(vcek.as_slice()));
    let refused = client.certificate(CertificateKind::Vlek).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::Firmware(Status::INVALID_KEY))), "{refused}");
}

#[test]
fn an_extended_request_brings_the_table_or_the_pages_needed() {
    let running = Running::start();
    let mut client = running.client();
    let launched = start_guest(&mut client);
    let table = client.certificate(CertificateKind::Table).unwrap();
    let mut channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
    let mut processor = Channel::new(client, launched.guest);
    let request = ReportRequest::new([9; 64], 0, KeySelect::Auto);

    let mut short = vec![0; PAGE_SIZE];
    let refused = channel.request(&mut processor, MessageType::ReportRequest, request.as_bytes(), Some(&mut short));
    let pages = table.len().div_ceil(PAGE_SIZE) as u64;
    assert_eq!(refused.unwrap_err(), ChannelError::Host(HostError::BufferTooSmall { pages }));

    let mut buffer = vec![0xff; 0x4000];
    channel.request(&mut processor, MessageType::ReportRequest, request.as_bytes(), Some(&mut buffer)).unwrap();
    assert_eq!(buffer[..table.len()], table);
}

#[test]
fn a_planned_deviation_reaches_the_guest() {
    let running = Running::start();
    let mut client = running.client();
    let launched = start_guest(&mut client);
    client.misbehave([Misbehaviour::Busy, Misbehaviour::CorruptResponse { offset: 0x70, mask: 1 }]).unwrap();
    let mut channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
    let mut processor = Channel::new(client, launched.guest);
    assert_eq!(report(&mut channel, &mut processor), Err(ChannelError::Host(HostError::Busy)));
    assert_eq!(report(&mut channel, &mut processor), Err(ChannelError::NotAuthentic));
}

#[test]
fn guests_belong_to_the_connection_that_launched_them() {
    let running = Running::start();
    let (mut first, mut second) = (running.client(), running.client());
    let guest = start_guest(&mut first).guest;
    let mut response = GuestMessage::zeroed();
    let refused = second.guest_request(guest, &GuestMessage::zeroed(), &mut response, None).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::Firmware(Status::INVALID_GUEST))));
    assert!(second.decommission(guest).is_err());
    first.decommission(guest).unwrap();
    assert!(first.decommission(guest).is_err());
}

#[test]
fn many_clients_are_served_at_once() {
    let running = Running::start();
    let clients: Vec<_> = (0..8).map(|_| running.client()).collect();
    let threads: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                let launched = start_guest(&mut client);
                let mut channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
                let mut processor = Channel::new(client, launched.guest);
                (0..4).map(|_| report(&mut channel, &mut processor).unwrap()).last().unwrap()
            })
        })
        .collect();
    let mut ids: Vec<_> = threads.into_iter().map(|thread| *thread.join().unwrap().report_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[test]
fn a_refused_launch_reports_the_firmware_status() {
    let running = Running::start();
    let mut client = running.client();
    let refused = client.launch_start(&LaunchStart::new(GuestPolicy(0))).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::Firmware(Status::INVALID_PARAM))));
    let guest = client.launch_start(&START).unwrap();
    let mut page = [0; PAGE_SIZE];
    let refused = client.launch_update(guest, LaunchPage::new(PageType::Normal, 1, &mut page)).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::Firmware(Status::INVALID_ADDRESS))));
}

#[test]
fn malformed_frames_are_answered_and_the_connection_lives_on() {
    let running = Running::start();
    let mut stream = UnixStream::connect(&running.socket).unwrap();
    crate::wire::greet(&mut stream).unwrap();
    for frame in [&[][..], &[0xff], &[2, 0], &[6, 200], &[7, 1, 2]] {
        crate::wire::write_frame(&mut stream, frame).unwrap();
        assert_eq!(crate::wire::read_frame(&mut stream).unwrap().unwrap(), [8]);
    }
    crate::wire::write_frame(&mut stream, &[6, 0]).unwrap();
    assert_eq!(crate::wire::read_frame(&mut stream).unwrap().unwrap()[0], 4);
}

#[test]
fn strangers_are_cut_off() {
    let running = Running::start();
    for hello in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"EVTPM-SP\x02\x00"] {
        let mut stream = UnixStream::connect(&running.socket).unwrap();
        stream.write_all(hello).unwrap();
        let mut received = Vec::new();
        // The server may close before it has read everything, which resets the connection.
        drop(stream.read_to_end(&mut received));
        assert!(received.is_empty() || received == b"EVTPM-SP\x01\x00", "{received:?}");
    }
    assert!(running.client().certificate(CertificateKind::Vcek).is_ok());
}

#[test]
fn a_path_is_served_once_and_for_its_owner_alone() {
    let running = Running::start();
    let mode = std::fs::metadata(&running.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Server::bind(Config::new(&running.socket, Product::Milan, [3; 32]));
    assert!(matches!(again.unwrap_err(), Error::InUse));
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced() {
    let socket = std::env::temp_dir().join(format!("evtpm-sp-simd-{}-stale", std::process::id()));
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let server = Server::bind(Config::new(&socket, Product::Turin, [3; 32])).unwrap();
    drop(server);
    assert!(!socket.exists());
}

#[test]
fn a_lost_server_is_told_to_the_svsm() {
    let socket = std::env::temp_dir().join(format!("evtpm-sp-simd-{}-lost", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let server = thread::spawn(move || crate::wire::greet(&mut listener.accept().unwrap().0).unwrap());
    let client = Client::connect(&socket).unwrap();
    server.join().unwrap();
    std::fs::remove_file(&socket).unwrap();

    let mut channel = GuestChannel::new([1; 32], 0, 0);
    let mut processor = Channel::new(client, GuestHandle(1));
    assert_eq!(report(&mut channel, &mut processor), Err(ChannelError::Host(HostError::Other(crate::LOST_CONNECTION))));
}
