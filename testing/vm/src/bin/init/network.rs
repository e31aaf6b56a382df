// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Brings up the loopback interface and the one card with the address that QEMU's user networking expects (rtnetlink(7)).

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use anyhow::{Context as _, bail};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};

const CARD: &str = "eth0";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const PREFIX: u8 = 24;

const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const NLM_F_CREATE: u16 = 0x400;
const AF_INET: u8 = 2;
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

pub(crate) fn up() -> anyhow::Result<()> {
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None).context("netlink socket")?;
    for interface in ["lo", CARD] {
        let index = index_of(interface)?;
        if interface == CARD {
            request(&netlink, RTM_NEWADDR, NLM_F_CREATE, &address_message(index)).context("set address")?;
        }
        request(&netlink, RTM_NEWLINK, 0, &link_up_message(index)).with_context(|| format!("bring up {interface}"))?;
    }
    Ok(())
}

fn index_of(interface: &str) -> anyhow::Result<u32> {
    let path = format!("/sys/class/net/{interface}/ifindex");
    let text = std::fs::read_to_string(&path).context(path)?;
    Ok(text.trim().parse()?)
}

/// `struct ifinfomsg`
fn link_up_message(index: u32) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend(index.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message
}

/// `struct ifaddrmsg` with two attributes.
fn address_message(index: u32) -> Vec<u8> {
    let mut message = vec![AF_INET, PREFIX, 0, 0];
    message.extend(index.to_ne_bytes());
    for attribute in [IFA_LOCAL, IFA_ADDRESS] {
        message.extend(8_u16.to_ne_bytes());
        message.extend(attribute.to_ne_bytes());
        message.extend(ADDRESS.octets());
    }
    message
}

/// Sends one request and waits for its acknowledgement.
fn request(netlink: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> anyhow::Result<()> {
    let length = u32::try_from(16 + body.len())?;
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST_ACK | flags).to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    sendto(netlink, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;

    let mut answer = [0; 1024];
    let (size, _) = recv(netlink, &mut answer, RecvFlags::empty())?;
    match answer.get(..size) {
        Some([_, _, _, _, kind0, kind1, _, _, _, _, _, _, _, _, _, _, e0, e1, e2, e3, ..])
            if u16::from_ne_bytes([*kind0, *kind1]) == NLMSG_ERROR =>
        {
            match i32::from_ne_bytes([*e0, *e1, *e2, *e3]) {
                0 => Ok(()),
                error => Err(std::io::Error::from_raw_os_error(error.wrapping_neg()).into()),
            }
        }
        answer => bail!("unexpected netlink answer {answer:02x?}"),
    }
}
