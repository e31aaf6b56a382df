// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line of `swtpm socket` (`swtpm(8)`), as far as its callers use it.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use evtpm_image::{Key, Part};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::spec::{Spec, number};
use super::{Config, Startup};
use crate::endpoint::{Endpoint, Inherited, Listener, Stream};
use crate::store::{Place, Store, kept_size};

/// The options of `swtpm socket`.
#[derive(Debug, Args)]
pub struct SocketArgs {
    /// Emulate a TPM 2.0 (the only one there is here).
    #[arg(long)]
    pub tpm2: bool,
    /// Serve TPM commands on this TCP port of 127.0.0.1, each in a connection of its own.
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Serve TPM commands: `[type=tcp,]port=PORT[,bindaddr=IP[,ifname=NAME]][,disconnect]`,
    /// `type=unixio,path=PATH[,mode=OCTAL][,uid=USER][,gid=GROUP]` or `fd=FD`, a socket that is connected, or that listens.
    #[arg(long, value_name = "SPEC")]
    pub server: Option<String>,
    /// Serve control requests: as --server, where `fd=FD` is a listening socket and `clientfd=FD` a connected one; with
    /// `,terminate` end when the client goes.
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
    /// Comma-separated: reject-locality-4, allow-set-locality (which is always allowed).
    #[arg(long, value_name = "OPTION")]
    pub locality: Option<String>,
    /// Keep the TPM's state in a folder, `dir=PATH` or `backend-uri=dir://PATH`, or in one file or block device,
    /// `backend-uri=file://PATH`; with `[,mode=OCTAL][,lock=false][,fsync]`. Without it in the folder that the environment variable
    /// `TPM_PATH` names, and without that nowhere. The place is locked as long as this program runs, unless `lock=false`. With `fsync`
    /// what a command wrote also survives a loss of power, and the command takes milliseconds. A device must be large enough for
    /// two states, and zeros before its first use.
    #[arg(long, value_name = "SPEC")]
    pub tpmstate: Option<String>,
    /// Write messages to `file=PATH[,truncate]` or `fd=FD`, or to nobody: `file=-`; without these, to standard error. `level=` and
    /// `prefix=` are accepted and change nothing.
    #[arg(long, value_name = "SPEC")]
    pub log: Option<String>,
    /// Write the process number to file=PATH, which goes with the process, or to fd=FD.
    #[arg(long, value_name = "SPEC")]
    pub pid: Option<String>,
    /// Go to the background once the TPM is served.
    #[arg(short, long)]
    pub daemon: bool,
    /// Print what this program can do, as JSON.
    #[arg(long)]
    pub print_capabilities: bool,
    /// Print which parts of a TPM's state --tpmstate has, as JSON.
    #[arg(long)]
    pub print_states: bool,
    /// Become this user, by name or by number, before anything is opened.
    #[arg(short, long, value_name = "USER")]
    pub runas: Option<String>,
    /// Accepted and not used: there is no seccomp profile.
    #[arg(long, value_name = "SPEC")]
    pub seccomp: Option<String>,
    /// Accepted and not used: algorithms are those of this TPM's own profile.
    #[arg(long, value_name = "SPEC")]
    pub profile: Option<String>,
    /// Encrypt the kept state: `file=PATH|fd=FD[,format=hex|binary][,mode=aes-cbc|aes-256-cbc][,remove]`, or from a passphrase
    /// `pwdfile=PATH|pwdfd=FD[,kdf=pbkdf2|sha512][,mode=...][,remove]`. The mode says whether the key has 128 or 256 bits; what
    /// encrypts is AES-256-GCM with a key derived from it.
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
    let version = env!("CARGO_PKG_VERSION");
    format!(r#"{{ "type": "swtpm", "features": [ "{}" ], "version": "{version}" }}"#, FEATURES.join("\", \""))
}

/// In the order and between the spaces of swtpm's own: some callers look with a pattern, not with a parser.
const FEATURES: [&str; 15] = [
    "tpm-2.0",
    "tpm-send-command-header",
    "flags-opt-startup",
    "flags-opt-disable-auto-shutdown",
    "cmdarg-seccomp",
    "cmdarg-key-fd",
    "cmdarg-pwd-fd",
    "cmdarg-print-states",
    "nvram-backend-dir",
    "nvram-backend-file",
    "tpmstate-opt-mode",
    "rsa-keysize-1024",
    "rsa-keysize-2048",
    "rsa-keysize-3072",
    "rsa-keysize-4096",
];

impl SocketArgs {
    /// Opens what the options name.
    ///
    /// # Errors
    /// Names the option that is wrong or cannot be opened.
    pub fn open(&self) -> Result<Config> {
        anyhow::ensure!(self.tpm2, "this TPM is a TPM 2.0 and no other: give --tpm2");
        let mut config = Config {
            allow_set_locality: true,
            end_with_data: self.terminate,
            signals: Some(Signals::new([SIGINT, SIGTERM]).context("catching signals")?),
            ..Config::default()
        };
        self.open_data(&mut config)?;
        if let Some(spec) = &self.ctrl {
            let spec = Spec::parse("--ctrl", spec)?;
            config.end_with_control = spec.is_on("terminate");
            match (spec.value("fd"), spec.value("clientfd")) {
                (Some(_), Some(_)) => bail!("--ctrl: fd= and clientfd= exclude each other"),
                (Some(fd), None) => config.control = Some(Listener::inherited(number("--ctrl fd", fd)?, spec.kind()?)?),
                (None, Some(fd)) => {
                    config.inherited_control = Some(Stream::inherited(number("--ctrl clientfd", fd)?)?);
                }
                (None, None) => config.control = Some(spec.listen()?),
            }
        }
        if let Some(spec) = &self.locality {
            config.reject_locality_4 = Spec::parse("--locality", spec)?.is_on("reject-locality-4");
        }
        self.apply_flags(&mut config)?;
        Ok(config)
    }

    fn open_data(&self, config: &mut Config) -> Result<()> {
        if let Some(spec) = &self.server {
            let spec = Spec::parse("--server", spec)?;
            config.disconnect = spec.is_on("disconnect");
            match spec.value("fd") {
                Some(fd) => match Inherited::new(number("--server fd", fd)?, spec.kind()?).context("--server fd=")? {
                    Inherited::Listening(listener) => config.data = Some(listener),
                    Inherited::Connected(stream) => config.inherited = Some(stream),
                },
                None => config.data = Some(spec.listen()?),
            }
        } else if let Some(port) = self.port {
            // swtpm takes this for `--server type=tcp,disconnect`.
            config.disconnect = true;
            config.data = Some(Listener::bind(&Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))?);
        }
        if let Some(fd) = self.fd {
            config.inherited = Some(Stream::inherited(fd)?);
        }
        Ok(())
    }

    /// Writes the process number where `--pid` says.
    ///
    /// # Errors
    /// When that cannot be opened or written.
    pub fn pid_file(&self) -> Result<Option<PidFile>> {
        let Some(spec) = &self.pid else { return Ok(None) };
        let spec = Spec::parse("--pid", spec)?;
        writeln!(spec.file()?, "{}", std::process::id()).context("--pid: writing")?;
        Ok(spec.value("file").map(|path| PidFile(path.into())))
    }

    /// Opens the file of `--log`, if there is one: `level=` by itself leaves messages on standard error.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn log_file(&self) -> Result<Option<File>> {
        let Some(spec) = self.log.as_deref().map(|spec| Spec::parse("--log", spec)).transpose()? else {
            return Ok(None);
        };
        match (spec.value("file"), spec.value("fd")) {
            // "provide '-' for path to avoid logging" (swtpm(8))
            (Some("-"), _) => nobody().context("--log").map(Some),
            (None, None) => Ok(None),
            _ => spec.file().map(Some),
        }
    }

    /// Opens the folder or the file that keeps the state, if there is one, and reads the key for migration.
    ///
    /// # Errors
    /// Names the option that is wrong, or says that another process uses the place.
    pub fn state(&self) -> Result<Option<(Store, Option<Key>)>> {
        let spec = self.tpmstate.as_deref().map(|spec| Spec::parse("--tpmstate", spec)).transpose()?;
        let Some(place) = state_place(spec.as_ref())? else { return Ok(None) };
        let access = spec.as_ref().map(Spec::access).transpose()?.unwrap_or_default();
        let key =
            |option, spec: &Option<String>| spec.as_deref().map(|spec| Spec::parse(option, spec)?.key()).transpose();
        let store = Store::open(&place, access, key("--key", &self.key)?)?;
        Ok(Some((store, key("--migration-key", &self.migration_key)?)))
    }

    /// Says which parts of a TPM's state are kept, as `--print-states` prints it.
    ///
    /// # Errors
    /// When no place is named, or a file is none of ours.
    pub fn states(&self) -> Result<String> {
        let spec = Spec::parse("--tpmstate", self.tpmstate.as_deref().context("--print-states: needs --tpmstate")?)?;
        let place = spec.place()?;
        let mut kept = Vec::new();
        for (part, name) in [(Part::Permanent, "permall"), (Part::Volatile, "volatilestate")] {
            let size = kept_size(&place, part)?;
            kept.extend(size.map(|size| format!(r#" {{"name": "{name}", "size": {size}}}"#)));
        }
        let end = if kept.is_empty() { "" } else { " " };
        Ok(format!(r#"{{ "type": "swtpm", "states": [{}{end}] }}"#, kept.join(",")))
    }

    fn apply_flags(&self, config: &mut Config) -> Result<()> {
        if let Some(spec) = &self.flags {
            let flags = Spec::parse("--flags", spec)?;
            anyhow::ensure!(!flags.is_on("startup-deactivated"), "--flags startup-deactivated is for TPM 1.2");
            config.power_on = flags.is_on("not-need-init");
            config.no_auto_shutdown = flags.is_on("disable-auto-shutdown");
            // A start-up flag "implies not-need-init" (swtpm(8)); of several the last of this list wins.
            for (flag, startup) in [
                ("startup-clear", Some(Startup::Clear)),
                ("startup-state", Some(Startup::State)),
                ("startup-none", None),
            ] {
                if flags.is_on(flag) {
                    (config.power_on, config.startup) = (true, startup);
                }
            }
        }
        // Without a control channel nobody could send CMD_INIT.
        config.power_on |= config.control.is_none() && config.inherited_control.is_none();
        Ok(())
    }
}

/// "the environment variable TPM_PATH can be set" instead of `--tpmstate dir=` (swtpm(8)).
fn state_place(spec: Option<&Spec<'_>>) -> Result<Option<Place>> {
    match spec {
        Some(spec) => spec.place().map(Some),
        None => Ok(std::env::var_os("TPM_PATH").map(|folder| Place::Folder(folder.into()))),
    }
}

/// The file with our process number; it is removed with this value.
#[derive(Debug)]
pub struct PidFile(PathBuf);

/// Opens what takes every message and keeps none.
///
/// # Errors
/// When there is no `/dev/null`.
pub fn nobody() -> Result<File> {
    File::options().write(true).open("/dev/null").context("opening /dev/null")
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it already, or put the number of the next process there.
        let number = std::fs::read_to_string(&self.0).ok().and_then(|number| number.trim().parse().ok());
        if number == Some(std::process::id()) {
            drop(std::fs::remove_file(&self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

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
        let config = open(&["--tpm2", "-p", "0"]).unwrap();
        assert!(config.power_on && config.disconnect);
    }

    #[test]
    fn a_socket_that_is_handed_down_is_used_as_what_it_is() {
        let path = std::env::temp_dir().join(format!("evtpm-handed-down-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (connected, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let open = |number: i32| open(&["--tpm2", "--server", &format!("type=unixio,fd={number}")]);
        let config = open(listener.as_raw_fd()).unwrap();
        assert!(config.data.is_some() && config.inherited.is_none());
        let config = open(connected.as_raw_fd()).unwrap();
        assert!(config.data.is_none() && config.inherited.is_some());
        let error = format!("{:#}", open(file.as_raw_fd()).unwrap_err());
        assert!(error.contains("--server fd=") && error.contains("is not a socket"), "{error}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn switches_take_values_and_lists_may_have_holes() {
        let config =
            open(&["--tpm2", "--server", "port=0,,disconnect=false", "--ctrl", "port=0,terminate=TRUE,"]).unwrap();
        assert!(!config.disconnect && config.end_with_control);
        let flags = ["--tpm2", "--ctrl", "port=0", "--flags", "startup-state=1,not-need-init=no,", "--locality", ","];
        let config = open(&flags).unwrap();
        assert_eq!((config.power_on, config.startup), (true, Some(Startup::State)));
        assert!(!config.reject_locality_4);
    }

    #[test]
    fn a_link_local_address_needs_its_interface_and_others_do_not_look_at_it() {
        for (spec, complaint) in [
            ("port=0,bindaddr=fe80::1", "needs ifname="),
            ("port=0,bindaddr=fe80::1,ifname=no such", "ifname=no such"),
            ("port=0,bindaddr=fe80::1,ifname=../lo", "is no name of an interface"),
        ] {
            let error = open(&["--tpm2", "--server", spec]).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        open(&["--tpm2", "--server", "port=0,bindaddr=127.0.0.1,ifname=lo"]).unwrap();
        let spec = Spec::parse("--server", "port=0,bindaddr=fe80::1,ifname=lo").unwrap();
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        assert_eq!(spec.endpoint().unwrap().to_string(), format!("tcp:[fe80::1%{}]:0", index.trim()));
    }

    #[test]
    fn a_wrong_option_names_itself() {
        for (arguments, complaint) in [
            (&["--server", "type=pipe"][..], "--server: type=pipe"),
            (&["--server", "port=0,colour=red"], "--server: `colour`"),
            (&["--ctrl", "type=unixio,fd=1,clientfd=2"], "exclude each other"),
            (&["-p", "0", "--flags", "fast"], "`fast`"),
            (&["-p", "0", "--locality", "5"], "`5`"),
        ] {
            let error = open(&[&["--tpm2"], arguments].concat()).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert!(open(&["-p", "0"]).unwrap_err().to_string().contains("--tpm2"));
    }

    #[test]
    fn a_unix_socket_has_the_mode_that_was_asked_for() {
        let path = std::env::temp_dir().join(format!("evtpm-mode-{}", std::process::id()));
        for (more, mode) in [("", 0o770), (",mode=0600,uid=root,gid=0", 0o600)] {
            let spec = format!("type=unixio,path={}{more}", path.display());
            let config = open(&["--tpm2", "--server", &spec]);
            let Ok(config) = config else {
                eprintln!("skipped: only root may give a socket to root");
                continue;
            };
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            drop(config);
            assert!(!path.exists());
        }
        let spec = format!("type=unixio,path={},uid=nobody-of-this-name", path.display());
        let error = format!("{:#}", open(&["--tpm2", "--server", &spec]).unwrap_err());
        assert!(error.contains("user 'nobody-of-this-name' does not exist"), "{error}");
    }

    #[test]
    fn the_process_number_goes_with_the_process() {
        let path = std::env::temp_dir().join(format!("evtpm-pid-{}", std::process::id()));
        let option = format!("file={}", path.display());
        let program = Program::try_parse_from(["swtpm", "--pid", &option]).unwrap();
        let file = program.socket.pid_file().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    /// CVE-2020-28407: swtpm followed a link that somebody had planted where its files were to be.
    #[test]
    fn cve_2020_28407_neither_log_nor_pid_file_is_written_through_a_link() {
        let link = std::env::temp_dir().join(format!("evtpm-link-{}", std::process::id()));
        let target = link.with_extension("target");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for option in ["--log", "--pid"] {
            let spec = format!("file={}", link.display());
            assert!(Spec::parse(option, &spec).unwrap().file().is_err(), "{option}");
            assert!(!target.exists(), "{option}");
        }
        std::fs::remove_file(&link).unwrap();
    }

    fn state(arguments: &[&str]) -> Result<Option<(Store, Option<Key>)>> {
        Program::try_parse_from([&["swtpm"], arguments].concat())?.socket.state()
    }

    #[test]
    fn nothing_is_kept_unless_a_place_is_named() {
        assert!(state(&["--tpm2", "-p", "0"]).unwrap().is_none());
        let folder = crate::testing::Folder::new("args-kept");
        for option in ["dir=", "backend-uri=dir://"] {
            let option = format!("{option}{}", folder.path().display());
            assert!(state(&["--tpmstate", &option]).unwrap().is_some());
        }
        let file = folder.path().join("state");
        let option = format!("backend-uri=file://{}", file.display());
        assert!(state(&["--tpmstate", &option]).unwrap().is_some());
        assert!(file.is_file());
        assert!(state(&["--tpmstate", "dir=/nowhere/at/all"]).is_err());
        let error = state(&["--tpmstate", "backend-uri=ftp://state"]).unwrap_err().to_string();
        assert!(error.contains("neither dir:// nor file://"), "{error}");
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
