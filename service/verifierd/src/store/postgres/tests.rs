// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A real PostgreSQL, started for each test; without Debian's package `postgresql` the tests say so and skip.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::audit;
use crate::store::LogsOfRound;
use crate::store::testing::{boot, conversation, item_of, round};

/// A server of its own behind a socket in a folder of its own, gone with the test.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str) -> Option<Self> {
        Self::start_with(name, |_| "-h ''".to_owned())
    }

    /// Starts a server with what `prepare` answers as further options, once there is a folder for its data.
    fn start_with(name: &str, prepare: impl Fn(&Self) -> String) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("skipped: there is no PostgreSQL under /usr/lib/postgresql");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("evtpm-pg-{name}-{}", std::process::id()));
        let server = Server { programs, folder };
        let folder = server.folder.to_str().unwrap().to_owned();
        // PostgreSQL does not run as root.
        let owner: &[&str] = if is_root() { &["-o", "postgres"] } else { &[] };
        run(Command::new("install").arg("-d").args(owner).arg(&folder));
        run(server.program("initdb").args([
            "-D",
            &format!("{folder}/data"),
            "-A",
            "trust",
            "-U",
            "evtpm",
            "--no-sync",
        ]));
        let options = format!("-k {folder} -c fsync=off {}", prepare(&server));
        let log = format!("{folder}/log");
        run(server.program("pg_ctl").args([
            "-D",
            &format!("{folder}/data"),
            "-o",
            &options,
            "-l",
            &log,
            "-w",
            "start",
        ]));
        Some(server)
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program).current_dir("/");
        command
    }

    /// Puts a file into the folder that the server alone may read.
    fn put(&self, name: &str, content: &str) -> String {
        let (written, place) = (self.folder.with_extension(name), self.folder.join(name));
        std::fs::write(&written, content).unwrap();
        let owner: &[&str] = if is_root() { &["-o", "postgres"] } else { &[] };
        run(Command::new("install").args(["-m", "600"]).args(owner).arg(&written).arg(&place));
        std::fs::remove_file(written).unwrap();
        place.to_str().unwrap().to_owned()
    }

    async fn open(&self) -> Postgres {
        let url = format!("host={} user=evtpm dbname=postgres", self.folder.display());
        Postgres::open(&url).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        drop(self.program("pg_ctl").arg("-D").arg(data).args(["-m", "immediate", "stop"]).output());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.sort();
    found.into_iter().rfind(|path| path.join("initdb").exists())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(Path::new("/proc/self")).unwrap().uid() == 0
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

#[tokio::test]
async fn postgresql_answers_every_question_as_sqlite_does() {
    let Some(server) = Server::start("same") else { return };
    let path = server.folder.with_extension("sqlite");
    let sqlite = crate::store::Sqlite::open(&path).unwrap();
    let expected = conversation(&sqlite).await;
    drop(sqlite);
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(ending);
        drop(std::fs::remove_file(file));
    }
    assert!(expected.len() > 20);
    assert_eq!(conversation(&server.open().await).await, expected);
    // The schema is there already, and so is the chain.
    let again = server.open().await;
    let (chain, broken) = audit::walk(&again).await.unwrap();
    assert!(chain.lines > 5 && broken.is_none(), "{broken:?}");
}

#[tokio::test]
async fn two_processes_share_what_is_due_and_one_takes_over_from_the_other() {
    let Some(server) = Server::start("lease") else { return };
    let (first, second) = (server.open().await, server.open().await);
    for number in 0..100 {
        first.put_item("k", item_of(&format!("a{number:03}"), Some(10)), None).await.unwrap();
    }
    let (mine, yours) = tokio::join!(first.claim("k", 20, 50, 60), second.claim("k", 20, 50, 60));
    let (mine, yours) = (mine.unwrap(), yours.unwrap());
    let mut all: Vec<String> = mine.iter().chain(&yours).map(|item| item.name.clone()).collect();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), mine.len() + yours.len()), (100, 100), "each is taken once");
    assert_eq!(second.claim("k", 49, 90, 100).await.unwrap().len(), 0, "the leases still hold");
    assert_eq!(second.claim("k", 50, 90, 100).await.unwrap().len(), 100, "they ended");
}

#[tokio::test]
async fn writers_in_two_processes_make_one_whole_chain() {
    let Some(server) = Server::start("chain") else { return };
    let stores = [std::sync::Arc::new(server.open().await), std::sync::Arc::new(server.open().await)];
    stores[0].register(boot("vm", b"id", "a1", b"ek1"), 1).await.unwrap();
    let write = |at: u64| {
        let store = stores[usize::try_from(at % 2).unwrap()].clone();
        tokio::spawn(async move { store.record(round("a1", "trusted", at)).await })
    };
    for written in (0..100).map(write).collect::<Vec<_>>() {
        written.await.unwrap().unwrap();
    }
    let (chain, broken) = audit::walk(stores[1].as_ref()).await.unwrap();
    assert_eq!((chain.lines, broken), (101, None));
    assert_eq!(stores[0].boot("a1").await.unwrap().unwrap().standing.unwrap().rounds, 100);
}

#[tokio::test]
async fn processes_together_keep_no_more_of_a_list_than_the_limit() {
    let Some(server) = Server::start("limit") else { return };
    let (first, second) = (server.open().await, server.open().await);
    first.register(boot("vm", b"id", "a1", b"ek1"), 1).await.unwrap();
    let grown = |first| {
        let logs = LogsOfRound::Grown { first, ima_log: vec![1; 4], limit: 10 };
        Round { logs, ..round("a1", "trusted", 2) }
    };
    first.record(grown(0)).await.unwrap();
    second.record(grown(1)).await.unwrap();
    first.record(grown(2)).await.unwrap();
    assert_eq!(second.logs("a1").await.unwrap().ima_log, [(0, vec![1; 4]), (1, vec![1; 4])]);
    assert_eq!(first.kept_ima("a1").await, Ok(8));
}

/// A CA, and a certificate of it for `localhost` with its key, in PEM.
fn certificate() -> (String, String, String) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    (ca.pem(), server.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_server_that_wants_tls_gets_it_and_has_to_be_who_it_is() {
    let (ca, shown, key) = certificate();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start_with("tls", |server| {
        let (certificate, key) = (server.put("server.pem", &shown), server.put("server.key", &key));
        let access = server.put("access", "hostssl all all 127.0.0.1/32 trust\n");
        let tls = format!("-c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key} -c hba_file={access}");
        format!("-h 127.0.0.1 -p {port} {tls}")
    });
    let Some(server) = server else { return };
    let written = |name: &str, pem: &str| {
        let path = server.folder.with_extension(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, other_ca) = (written("ca.pem", &ca), written("other.pem", &certificate().0));
    let open = async |host: &str, parameters: &str| {
        Postgres::open(&format!("postgresql://evtpm@{host}:{port}/postgres?{parameters}")).await
    };
    // Whoever is asked for by an address is called by it, and `localhost` may be another address first.
    let by_name = |parameters: &str| format!("{parameters}&hostaddr=127.0.0.1");
    let verified = open("localhost", &by_name(&format!("sslmode=verify-full&sslrootcert={ca}"))).await.unwrap();
    assert_eq!(verified.machines(None).await.unwrap(), []);
    open("127.0.0.1", "sslmode=require").await.unwrap();

    for (host, parameters, reason) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), "no pg_hba.conf entry"),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}"), "not valid for name"),
        ("localhost", by_name(&format!("sslmode=verify-full&sslrootcert={other_ca}")), "invalid peer certificate"),
    ] {
        let error = open(host, &parameters).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{parameters}: {error}");
    }
    for file in [ca, other_ca] {
        std::fs::remove_file(file).unwrap();
    }
}
