// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What stands behind an option of swtpm (`swtpm(8)`): `key=value,key=value,word`.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use evtpm_crypto::{Crypto, Digest, HashAlg, RustCrypto, kdfa};
use evtpm_image::Key;
use zeroize::Zeroizing;

use super::owner;
use crate::endpoint::{Endpoint, Kind, Listener, SocketFile, inherited_descriptor};
use crate::store::{Access, Place};

/// The keys that an option may have (swtpm(8)); one that is not listed has others or is checked elsewhere.
const KEYS: &[(&str, &[&str])] = &[
    ("--server", &["type", "port", "bindaddr", "ifname", "fd", "path", "mode", "uid", "gid", "disconnect"]),
    ("--ctrl", &["type", "port", "bindaddr", "ifname", "fd", "clientfd", "path", "mode", "uid", "gid", "terminate"]),
    ("--log", &["file", "fd", "level", "prefix", "truncate"]),
    ("--pid", &["file", "fd"]),
    ("--locality", &["reject-locality-4", "allow-set-locality"]),
    (
        "--flags",
        &[
            "not-need-init",
            "startup-clear",
            "startup-state",
            "startup-deactivated",
            "startup-none",
            "disable-auto-shutdown",
        ],
    ),
];

/// `key=value,key=value,word`, as swtpm's options are written.
#[derive(Debug)]
pub(super) struct Spec<'a> {
    option: &'static str,
    parts: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Spec<'a> {
    pub(super) fn parse(option: &'static str, text: &'a str) -> Result<Self> {
        let parts = text
            .split(',')
            // As with strtok_r: two commas, or one at the end, have nothing between them.
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').map_or((part, None), |(key, value)| (key, Some(value))))
            .collect::<Vec<_>>();
        anyhow::ensure!(!text.is_empty(), "{option}: is empty");
        if let Some((_, keys)) = KEYS.iter().find(|(name, _)| *name == option)
            && let Some((unknown, _)) = parts.iter().find(|(key, _)| !keys.contains(key))
        {
            bail!("{option}: `{unknown}` is not known");
        }
        Ok(Spec { option, parts })
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        self.parts.iter().find(|part| part.0 == key).and_then(|part| part.1)
    }

    /// Says whether a switch is on: a word by itself, or with `true` or `1` behind it. Any other value turns it off (swtpm's options.c).
    pub(super) fn is_on(&self, word: &str) -> bool {
        let is_true = |value: &str| value.eq_ignore_ascii_case("true") || value == "1";
        self.parts.iter().find(|part| part.0 == word).is_some_and(|part| part.1.is_none_or(is_true))
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        let option = self.option;
        match (self.value("type"), self.value("path"), self.value("port")) {
            (Some("unixio"), Some(path), _) => Ok(Endpoint::Unix(path.into())),
            (Some("unixio"), None, _) => bail!("{option}: type=unixio needs path="),
            (Some("tcp") | None, _, Some(port)) => {
                let port = port.parse().with_context(|| format!("{option}: port={port}"))?;
                let address: IpAddr = match self.value("bindaddr") {
                    Some(text) => text.parse().with_context(|| format!("{option}: bindaddr={text}"))?,
                    None => Ipv4Addr::LOCALHOST.into(),
                };
                Ok(Endpoint::Tcp(self.on_interface(address, port)?))
            }
            (Some("tcp") | None, _, None) => bail!("{option}: needs port="),
            (Some(other), ..) => bail!("{option}: type={other} is not known"),
        }
    }

    /// Names the interface of an address that is not complete without one; any other address does without `ifname=`.
    fn on_interface(&self, address: IpAddr, port: u16) -> Result<SocketAddr> {
        let option = self.option;
        let address = match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => address,
            address => return Ok(SocketAddr::new(address, port)),
        };
        let name = self.value("ifname").with_context(|| format!("{option}: bindaddr={address} needs ifname="))?;
        anyhow::ensure!(!name.contains(['/', '.']), "{option}: ifname={name} is no name of an interface");
        let index = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"))
            .with_context(|| format!("{option}: finding the interface ifname={name}"))?;
        let index = index.trim().parse().with_context(|| format!("{option}: ifname={name}"))?;
        Ok(SocketAddrV6::new(address, port, 0, index).into())
    }

    /// Says where the state is kept.
    pub(super) fn place(&self) -> Result<Place> {
        let option = self.option;
        if let Some(folder) = self.value("dir") {
            return Ok(Place::Folder(folder.into()));
        }
        let uri = self.value("backend-uri").with_context(|| format!("{option}: needs dir= or backend-uri="))?;
        match uri.split_once("://") {
            Some(("dir", folder)) => Ok(Place::Folder(folder.into())),
            Some(("file", file)) => Ok(Place::File(file.into())),
            _ => bail!("{option}: backend-uri={uri} is neither dir:// nor file://"),
        }
    }

    /// Says how the state is kept.
    pub(super) fn access(&self) -> Result<Access> {
        Ok(Access {
            mode: self.mode(Access::default().mode)?,
            lock: !matches!(self.value("lock"), Some("false" | "0")),
            durable: self.is_on("fsync"),
        })
    }

    /// Reads `mode=`, or gives what holds without it.
    fn mode(&self, default: u32) -> Result<u32> {
        let octal =
            |mode| u32::from_str_radix(mode, 8).with_context(|| format!("{}: mode={mode} is not octal", self.option));
        self.value("mode").map_or(Ok(default), octal)
    }

    /// Reads a key of 128 or 256 bits or a passphrase, and removes its file if that was asked for.
    pub(super) fn key(&self) -> Result<Key> {
        let option = self.option;
        let size = match self.value("mode").unwrap_or("aes-cbc") {
            "aes-cbc" | "aes-128-cbc" => 16,
            "aes-256-cbc" => 32,
            other => bail!("{option}: mode={other} is not known"),
        };
        let is_passphrase = self.value("pwdfile").or(self.value("pwdfd")).is_some();
        let file = if is_passphrase { "pwdfile" } else { "file" };
        let key = if is_passphrase { self.passphrase(size)? } else { self.plain_key(size)? };
        if self.is_on("remove")
            && let Some(path) = self.value(file)
        {
            std::fs::remove_file(path).with_context(|| format!("{option}: removing {path}"))?;
        }
        let mut state_key = [0; 32];
        kdfa::<RustCrypto>(HashAlg::Sha256, &key, b"EVTPM STATE KEY", &[], &[], 256, &mut state_key)?;
        Ok(Key::new(state_key))
    }

    fn plain_key(&self, size: usize) -> Result<Zeroizing<Vec<u8>>> {
        let option = self.option;
        let bytes = self.read_secret("file", "fd")?;
        let key = match self.value("format").unwrap_or("hex") {
            "binary" => bytes,
            "hex" => hexadecimal(&bytes).with_context(|| format!("{option}: the key is not hexadecimal"))?,
            other => bail!("{option}: format={other} is not known"),
        };
        anyhow::ensure!(key.len() == size, "{option}: the key has {} bytes instead of {size}", key.len());
        Ok(key)
    }

    /// Derives a key from all of a file, an end of line included, as swtpm does.
    fn passphrase(&self, size: usize) -> Result<Zeroizing<Vec<u8>>> {
        let passphrase = self.read_secret("pwdfile", "pwdfd")?;
        let derive = match self.value("kdf").unwrap_or("pbkdf2") {
            "pbkdf2" => pbkdf2,
            "sha512" => |passphrase: &[u8]| RustCrypto::hash(HashAlg::Sha512, &[passphrase]),
            other => bail!("{}: kdf={other} is not known", self.option),
        };
        let derived = derive(&passphrase);
        Ok(Zeroizing::new(derived.as_bytes().iter().copied().take(size).collect()))
    }

    fn read_secret(&self, file: &str, descriptor: &str) -> Result<Zeroizing<Vec<u8>>> {
        let option = self.option;
        let source = if let Some(fd) = self.value(descriptor) {
            File::from(inherited_descriptor(number(option, fd)?)?)
        } else {
            let path = self.value(file).with_context(|| format!("{option}: needs file=, fd=, pwdfile= or pwdfd="))?;
            let options = OpenOptions::new().read(true).custom_flags(NOFOLLOW).open(path);
            options.with_context(|| format!("{option}: opening {path}"))?
        };
        // Room for all of it, so that no growing leaves a copy behind; and no more of an endless file.
        let mut secret = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 1));
        let limit = u64::try_from(MAX_SECRET)?.saturating_add(1);
        source.take(limit).read_to_end(&mut secret).with_context(|| format!("{option}: reading the key"))?;
        anyhow::ensure!(secret.len() <= MAX_SECRET, "{option}: more than {MAX_SECRET} bytes are no key");
        Ok(secret)
    }

    pub(super) fn kind(&self) -> Result<Kind> {
        match self.value("type") {
            Some("tcp") | None => Ok(Kind::Tcp),
            Some("unixio") => Ok(Kind::Unix),
            Some(other) => bail!("{}: type={other} is not known", self.option),
        }
    }

    /// Listens, and gives the file of a unix socket the mode and the owner that are asked for.
    pub(super) fn listen(&self) -> Result<Listener> {
        let listener = Listener::bind(&self.endpoint()?)?;
        let Some(path) = listener.file().map(SocketFile::path) else { return Ok(listener) };
        let option = self.option;
        // Whatever the umask: "The default is 0770" (swtpm(8)).
        let mode = Permissions::from_mode(self.mode(0o770)?);
        std::fs::set_permissions(path, mode).with_context(|| format!("{option}: mode="))?;
        let id = |key, find: fn(&str) -> Result<u32>| {
            self.value(key).map(|id| find(id).with_context(|| format!("{option}: {key}={id}"))).transpose()
        };
        let (uid, gid) = (id("uid", owner::user)?, id("gid", owner::group)?);
        if uid.is_some() || gid.is_some() {
            chown(path, uid, gid).with_context(|| format!("{option}: uid= or gid="))?;
        }
        Ok(listener)
    }

    pub(super) fn file(&self) -> Result<File> {
        if let Some(fd) = self.value("fd") {
            return Ok(File::from(inherited_descriptor(number(self.option, fd)?)?));
        }
        let path: PathBuf = self.value("file").with_context(|| format!("{}: needs file= or fd=", self.option))?.into();
        // Never through a link that somebody planted (CVE-2020-28407).
        OpenOptions::new()
            .create(true)
            .append(!self.is_on("truncate") && self.option == "--log")
            .write(true)
            .truncate(self.option != "--log" || self.is_on("truncate"))
            // Whoever may see the process may know its number.
            .mode(if self.option == "--pid" { 0o644 } else { 0o640 })
            .custom_flags(NOFOLLOW)
            .open(&path)
            .with_context(|| format!("{}: opening {}", self.option, path.display()))
    }
}

/// The most bytes of a key or a passphrase.
const MAX_SECRET: usize = 4096;

/// The first block of PBKDF2 (RFC 8018, 5.2) with HMAC-SHA-512, and salt and count of swtpm.
fn pbkdf2(passphrase: &[u8]) -> Digest {
    let mac = |parts: &[&[u8]]| RustCrypto::hmac(HashAlg::Sha512, passphrase, parts);
    let mut last = mac(&[b"swtpm", &1_u32.to_be_bytes()]);
    let mut key = last;
    for _ in 1..1000 {
        last = mac(&[last.as_bytes()]);
        key.as_mut_bytes().iter_mut().zip(last.as_bytes()).for_each(|(sum, byte)| *sum ^= byte);
    }
    key
}

const NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Reads pairs of hexadecimal digits, after an optional `0x` and before an optional end of line.
fn hexadecimal(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.trim_ascii();
    let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.chunks(2) {
        let [high, low] = pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(bytes)
}

pub(super) fn number(option: &str, text: &str) -> Result<i32> {
    text.parse().with_context(|| format!("{option}: `{text}` is not a descriptor"))
}
