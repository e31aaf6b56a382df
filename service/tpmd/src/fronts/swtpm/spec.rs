// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What stands behind an option of swtpm (`swtpm(8)`): `key=value,key=value,word`.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use evtpm_crypto::{HashAlg, RustCrypto, kdfa};
use evtpm_image::Key;
use zeroize::Zeroizing;

use crate::endpoint::{Endpoint, Kind, Listener, inherited_descriptor};

/// The keys that an option may have (swtpm(8)); one that is not listed has others or is checked elsewhere.
const KEYS: &[(&str, &[&str])] = &[
    ("--server", &["type", "port", "bindaddr", "fd", "path", "mode", "uid", "gid", "disconnect"]),
    ("--ctrl", &["type", "port", "bindaddr", "fd", "clientfd", "path", "mode", "uid", "gid", "terminate"]),
    ("--log", &["file", "fd", "level", "prefix", "truncate"]),
    ("--pid", &["file", "fd"]),
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

    pub(super) fn has(&self, word: &str) -> bool {
        self.parts.iter().any(|part| part.0 == word)
    }

    fn endpoint(&self) -> Result<Endpoint> {
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
                Ok(Endpoint::Tcp(SocketAddr::new(address, port)))
            }
            (Some("tcp") | None, _, None) => bail!("{option}: needs port="),
            (Some(other), ..) => bail!("{option}: type={other} is not known"),
        }
    }

    pub(super) fn folder(&self) -> Result<&'a str> {
        if let Some(folder) = self.value("dir") {
            return Ok(folder);
        }
        let uri = self.value("backend-uri").with_context(|| format!("{}: needs dir=", self.option))?;
        uri.strip_prefix("dir://").with_context(|| format!("{}: backend-uri={uri} is not dir://", self.option))
    }

    /// Reads a key of 128 or 256 bits, and removes its file if that was asked for.
    pub(super) fn key(&self) -> Result<Key> {
        let option = self.option;
        anyhow::ensure!(
            self.value("pwdfile").is_none() && self.value("pwdfd").is_none(),
            "{option}: a passphrase is not taken; give a key with file= or fd="
        );
        let size = match self.value("mode").unwrap_or("aes-cbc") {
            "aes-cbc" | "aes-128-cbc" => 16,
            "aes-256-cbc" => 32,
            other => bail!("{option}: mode={other} is not known"),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        // A longer file is wrong, however long it is.
        self.open_key()?.take(1024).read_to_end(&mut bytes).with_context(|| format!("{option}: reading the key"))?;
        let key = match self.value("format").unwrap_or("hex") {
            "binary" => bytes,
            "hex" => hexadecimal(&bytes).with_context(|| format!("{option}: the key is not hexadecimal"))?,
            other => bail!("{option}: format={other} is not known"),
        };
        anyhow::ensure!(key.len() == size, "{option}: the key has {} bytes instead of {size}", key.len());
        if self.has("remove")
            && self.value("remove").is_none_or(|remove| remove == "true" || remove == "1")
            && let Some(path) = self.value("file")
        {
            std::fs::remove_file(path).with_context(|| format!("{option}: removing {path}"))?;
        }
        let mut state_key = [0; 32];
        kdfa::<RustCrypto>(HashAlg::Sha256, &key, b"EVTPM STATE KEY", &[], &[], 256, &mut state_key)?;
        Ok(Key::new(state_key))
    }

    fn open_key(&self) -> Result<File> {
        if let Some(fd) = self.value("fd") {
            return Ok(File::from(inherited_descriptor(number(self.option, fd)?)?));
        }
        let path = self.value("file").with_context(|| format!("{}: needs file= or fd=", self.option))?;
        OpenOptions::new()
            .read(true)
            .custom_flags(NOFOLLOW)
            .open(path)
            .with_context(|| format!("{}: opening {path}", self.option))
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
        let Some(path) = listener.path() else { return Ok(listener) };
        let option = self.option;
        if let Some(mode) = self.value("mode") {
            let bits = u32::from_str_radix(mode, 8).with_context(|| format!("{option}: mode={mode} is not octal"))?;
            std::fs::set_permissions(path, Permissions::from_mode(bits)).with_context(|| format!("{option}: mode="))?;
        }
        let id =
            |key| self.value(key).map(|id| id.parse().with_context(|| format!("{option}: {key}={id}"))).transpose();
        let (uid, gid) = (id("uid")?, id("gid")?);
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
            .append(!self.has("truncate") && self.option == "--log")
            .write(true)
            .truncate(self.option != "--log" || self.has("truncate"))
            // Whoever may see the process may know its number.
            .mode(if self.option == "--pid" { 0o644 } else { 0o640 })
            .custom_flags(NOFOLLOW)
            .open(&path)
            .with_context(|| format!("{}: opening {}", self.option, path.display()))
    }
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
