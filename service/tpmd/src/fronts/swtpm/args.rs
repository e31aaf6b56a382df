// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line of `swtpm socket` (`swtpm(8)`), as far as its callers use it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use evtpm_crypto::{HashAlg, RustCrypto, kdfa};
use evtpm_image::{Key, Part};
use zeroize::Zeroizing;

use super::{Config, Startup};
use crate::endpoint::{Endpoint, Listener, Stream, inherited_descriptor};
use crate::store::{Store, is_kept};

/// The options of `swtpm socket`.
#[derive(Debug, Args)]
pub struct SocketArgs {
    /// Emulate a TPM 2.0 (the only one there is here).
    #[arg(long)]
    pub tpm2: bool,
    /// Serve TPM commands on this TCP port of 127.0.0.1.
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Serve TPM commands: `type=tcp,port=PORT[,bindaddr=IP][,disconnect]`, `type=unixio,path=PATH` or `fd=FD`.
    #[arg(long, value_name = "SPEC")]
    pub server: Option<String>,
    /// Serve control requests: `type=tcp,port=PORT[,bindaddr=IP]` or `type=unixio,path=PATH`; with `,terminate` end when the client goes.
    #[arg(long, value_name = "SPEC")]
    pub ctrl: Option<String>,
    /// Use this connected socket for TPM commands.
    #[arg(short, long, value_name = "FD")]
    pub fd: Option<i32>,
    /// End when the data client goes.
    #[arg(short, long)]
    pub terminate: bool,
    /// Comma-separated: not-need-init, startup-clear, startup-state, startup-none, disable-auto-shutdown.
    #[arg(long, value_name = "FLAGS")]
    pub flags: Option<String>,
    /// reject-locality-4 or allow-set-locality (which is always allowed).
    #[arg(long, value_name = "OPTION")]
    pub locality: Option<String>,
    /// Keep the TPM's state in a folder: `dir=PATH[,mode=OCTAL]` or `backend-uri=dir://PATH`. Without it nothing is kept.
    #[arg(long, value_name = "SPEC")]
    pub tpmstate: Option<String>,
    /// Write messages to file=PATH or fd=FD (level= is accepted).
    #[arg(long, value_name = "SPEC")]
    pub log: Option<String>,
    /// Write the process number to file=PATH or fd=FD.
    #[arg(long, value_name = "SPEC")]
    pub pid: Option<String>,
    /// Go to the background once the sockets are there.
    #[arg(short, long)]
    pub daemon: bool,
    /// Print what this program can do, as JSON.
    #[arg(long)]
    pub print_capabilities: bool,
    /// Print which parts of a TPM's state the folder of --tpmstate has, as JSON.
    #[arg(long)]
    pub print_states: bool,
    /// Accepted and not used: there is no seccomp profile.
    #[arg(long, value_name = "SPEC")]
    pub seccomp: Option<String>,
    /// Accepted and not used: algorithms are those of this TPM's own profile.
    #[arg(long, value_name = "SPEC")]
    pub profile: Option<String>,
    /// Encrypt the kept state: `file=PATH|fd=FD[,format=hex|binary][,mode=aes-cbc|aes-256-cbc][,remove]`. The mode says
    /// whether the key has 128 or 256 bits; what encrypts is AES-256-GCM with a key derived from it.
    #[arg(long, value_name = "SPEC")]
    pub key: Option<String>,
    /// Encrypt the state that goes to another host, and take only such state: as --key.
    #[arg(long, value_name = "SPEC")]
    pub migration_key: Option<String>,
    /// Accepted and not used: the lock on the state is held until this program ends.
    #[arg(long, value_name = "SPEC")]
    pub migration: Option<String>,
}

/// What `--print-capabilities` prints: what callers such as libvirt look for, and no more than is true.
#[must_use]
pub fn capabilities() -> String {
    serde_json::json!({
        "type": "swtpm",
        "features": ["tpm-2.0", "tpm-send-command-header", "flags-opt-startup", "flags-opt-disable-auto-shutdown",
                     "cmdarg-key-fd", "cmdarg-print-states", "tpmstate-opt-mode", "rsa-keysize-2048", "rsa-keysize-3072", "rsa-keysize-4096"],
        "version": env!("CARGO_PKG_VERSION"),
    })
    .to_string()
}

impl SocketArgs {
    /// Opens what the options name.
    ///
    /// # Errors
    /// Names the option that is wrong or cannot be opened.
    pub fn open(&self) -> Result<Config> {
        let mut config = Config { allow_set_locality: true, end_with_data: self.terminate, ..Config::default() };
        if let Some(spec) = &self.server {
            let spec = Spec::parse("--server", spec)?;
            config.disconnect = spec.has("disconnect");
            match spec.value("fd") {
                Some(fd) => config.inherited = Some(Stream::inherited(number("--server fd", fd)?)?),
                None => config.data = Some(Listener::bind(&spec.endpoint()?)?),
            }
        } else if let Some(port) = self.port {
            config.data = Some(Listener::bind(&Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))?);
        }
        if let Some(fd) = self.fd {
            config.inherited = Some(Stream::inherited(fd)?);
        }
        if let Some(spec) = &self.ctrl {
            let spec = Spec::parse("--ctrl", spec)?;
            config.end_with_control = spec.has("terminate");
            config.control = Some(Listener::bind(&spec.endpoint()?)?);
        }
        self.apply_flags(&mut config)?;
        if let Some(spec) = &self.pid {
            writeln!(Spec::parse("--pid", spec)?.file()?, "{}", std::process::id()).context("--pid: writing")?;
        }
        Ok(config)
    }

    /// Opens the file of `--log`, if there is one.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn log_file(&self) -> Result<Option<File>> {
        self.log.as_deref().map(|spec| Spec::parse("--log", spec)?.file()).transpose()
    }

    /// Opens the folder that keeps the state, if there is one, and reads the key for migration.
    ///
    /// # Errors
    /// Names the option that is wrong, or says who else uses the folder.
    pub fn state(&self) -> Result<Option<(Store, Option<Key>)>> {
        let Some(spec) = &self.tpmstate else { return Ok(None) };
        let spec = Spec::parse("--tpmstate", spec)?;
        let folder = spec.folder()?;
        let mode = spec.value("mode").unwrap_or("0600");
        let mode = u32::from_str_radix(mode, 8).with_context(|| format!("--tpmstate: mode={mode} is not octal"))?;
        let key =
            |option, spec: &Option<String>| spec.as_deref().map(|spec| Spec::parse(option, spec)?.key()).transpose();
        let store = Store::open(Path::new(folder), mode, key("--key", &self.key)?)?;
        Ok(Some((store, key("--migration-key", &self.migration_key)?)))
    }

    /// Says which parts of a TPM's state are kept, as `--print-states` prints it.
    ///
    /// # Errors
    /// When no folder is named.
    pub fn states(&self) -> Result<String> {
        let spec = Spec::parse("--tpmstate", self.tpmstate.as_deref().context("--print-states: needs --tpmstate")?)?;
        let folder = Path::new(spec.folder()?);
        let parts = [(Part::Permanent, "permanent"), (Part::Volatile, "volatile")];
        let kept: Vec<_> = parts.into_iter().filter(|(part, _)| is_kept(folder, *part)).map(|(_, name)| name).collect();
        Ok(serde_json::json!({ "type": "swtpm", "states": kept }).to_string())
    }

    fn apply_flags(&self, config: &mut Config) -> Result<()> {
        for flag in self.flags.iter().flat_map(|flags| flags.split(',')) {
            match flag {
                "not-need-init" => config.power_on = true,
                // A start-up flag "implies not-need-init" (swtpm(8)).
                "startup-clear" => (config.power_on, config.startup) = (true, Some(Startup::Clear)),
                "startup-state" => (config.power_on, config.startup) = (true, Some(Startup::State)),
                "startup-none" => (config.power_on, config.startup) = (true, None),
                "startup-deactivated" => bail!("--flags startup-deactivated is for TPM 1.2"),
                "disable-auto-shutdown" => config.no_auto_shutdown = true,
                other => bail!("--flags: `{other}` is not known"),
            }
        }
        // Without a control channel nobody could send CMD_INIT.
        config.power_on |= config.control.is_none();
        Ok(())
    }
}

/// `key=value,key=value,word`, as swtpm's options are written.
struct Spec<'a> {
    option: &'static str,
    parts: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Spec<'a> {
    fn parse(option: &'static str, text: &'a str) -> Result<Self> {
        let parts = text
            .split(',')
            .map(|part| part.split_once('=').map_or((part, None), |(key, value)| (key, Some(value))))
            .collect::<Vec<_>>();
        anyhow::ensure!(!text.is_empty(), "{option}: is empty");
        Ok(Spec { option, parts })
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        self.parts.iter().find(|part| part.0 == key).and_then(|part| part.1)
    }

    fn has(&self, word: &str) -> bool {
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

    fn folder(&self) -> Result<&'a str> {
        if let Some(folder) = self.value("dir") {
            return Ok(folder);
        }
        let uri = self.value("backend-uri").with_context(|| format!("{}: needs dir=", self.option))?;
        uri.strip_prefix("dir://").with_context(|| format!("{}: backend-uri={uri} is not dir://", self.option))
    }

    /// Reads a key of 128 or 256 bits, and removes its file if that was asked for.
    fn key(&self) -> Result<Key> {
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

    fn file(&self) -> Result<File> {
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
            .mode(0o640)
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

fn number(option: &str, text: &str) -> Result<i32> {
    text.parse().with_context(|| format!("{option}: `{text}` is not a descriptor"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        socket: SocketArgs,
    }

    fn open(arguments: &[&str]) -> Result<Config> {
        Program::try_parse_from([&["swtpm"], arguments].concat())?.socket.open()
    }

    #[test]
    fn the_usual_invocations_are_understood() {
        let directory = std::env::temp_dir().join(format!("evtpm-args-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let control = format!("type=unixio,path={},terminate", directory.join("ctrl").display());
        let config = open(&["--tpm2", "--tpmstate", "dir=/nowhere", "--ctrl", &control]).unwrap();
        assert!(config.control.is_some() && config.end_with_control && !config.power_on);
        let config = open(&[
            "--tpm2",
            "--server",
            "type=tcp,port=0,disconnect",
            "--ctrl",
            "type=tcp,port=0",
            "--flags",
            "not-need-init,startup-clear",
        ])
        .unwrap();
        assert!(config.disconnect && config.power_on);
        assert_eq!(config.startup, Some(Startup::Clear));
        drop(config);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_data_channel_alone_needs_no_init() {
        assert!(open(&["--tpm2", "-p", "0"]).unwrap().power_on);
    }

    #[test]
    fn a_wrong_option_names_itself() {
        let error = open(&["--server", "type=pipe"]).unwrap_err().to_string();
        assert!(error.contains("--server: type=pipe"), "{error}");
        let error = open(&["-p", "0", "--flags", "fast"]).unwrap_err().to_string();
        assert!(error.contains("`fast`"), "{error}");
    }

    #[test]
    fn a_log_is_not_written_through_a_link() {
        let link = std::env::temp_dir().join(format!("evtpm-link-{}", std::process::id()));
        std::os::unix::fs::symlink("/tmp/evtpm-target-that-must-not-appear", &link).unwrap();
        let spec = format!("file={}", link.display());
        assert!(Spec::parse("--log", &spec).unwrap().file().is_err());
        std::fs::remove_file(&link).unwrap();
    }

    fn state(arguments: &[&str]) -> Result<Option<(Store, Option<Key>)>> {
        Program::try_parse_from([&["swtpm"], arguments].concat())?.socket.state()
    }

    #[test]
    fn nothing_is_kept_unless_a_folder_is_named() {
        assert!(state(&["--tpm2", "-p", "0"]).unwrap().is_none());
        let folder = crate::testing::Folder::new("args-kept");
        for option in ["dir=", "backend-uri=dir://"] {
            let option = format!("{option}{}", folder.path().display());
            assert!(state(&["--tpmstate", &option]).unwrap().is_some());
        }
        assert!(state(&["--tpmstate", "dir=/nowhere/at/all"]).is_err());
    }

    #[test]
    fn a_key_has_the_size_of_its_mode() {
        let folder = crate::testing::Folder::new("args-key");
        let file = folder.path().join("key");
        let key = |options: &str, content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            Spec::parse("--key", &format!("file={},{options}", file.display())).unwrap().key().map(|_| ())
        };
        let hex = [b'a'; 32];
        key("format=hex,mode=aes-cbc", &hex).unwrap();
        key("mode=aes-256-cbc,format=binary", &hex).unwrap();
        key("mode=aes-cbc", b"0x000102030405060708090a0b0c0d0e0f\n").unwrap();
        for (options, content) in
            [("mode=aes-256-cbc", &hex[..]), ("format=hex", b"zz"), ("mode=des", &hex), ("format=hex", b"")]
        {
            assert!(key(options, content).is_err(), "{options}");
        }
        key("remove=true", &hex).unwrap();
        assert!(!file.exists());
        assert!(Spec::parse("--key", "pwdfile=/tmp/x").unwrap().key().is_err());
    }
}
