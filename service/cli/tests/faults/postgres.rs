// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A real PostgreSQL that waits for its disk, and dies; without Debian's package `postgresql` its test says so and skips.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
}

impl Postgres {
    pub(crate) fn start(stage: &Path) -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
        let programs = versions.and_then(|mut versions| Some(versions.next()?.ok()?.path().join("bin")));
        let Some(programs) = programs else {
            eprintln!("skipped: there is no PostgreSQL under /usr/lib/postgresql");
            return None;
        };
        // A socket's path has to be short.
        let folder = stage.with_extension("pg");
        drop(std::fs::remove_dir_all(&folder));
        let database = Postgres { programs, folder };
        let owner: &[&str] = if is_root() { &["-o", "postgres"] } else { &[] };
        let made = Command::new("install").arg("-d").args(owner).arg(&database.folder).status().unwrap();
        assert!(made.success());
        let data = database.data();
        let made = database.program("initdb").args(["-A", "trust", "-U", "evtpm", "-D"]).arg(data).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        database.run();
        Some(database)
    }

    pub(crate) fn url(&self) -> String {
        format!("host={} user=evtpm dbname=postgres", self.folder.display())
    }

    /// Ends all its processes as a loss of power would, and starts it again.
    pub(crate) fn kill_and_start(&self) {
        self.kill();
        self.run();
    }

    fn run(&self) {
        let options = format!("-k {} -h ''", self.folder.display());
        let began = Instant::now();
        loop {
            let mut start = self.program("pg_ctl");
            let log = self.folder.join("log");
            let started = start.args(["-o", &options, "-w", "-D"]).arg(self.data()).arg("-l").arg(&log).arg("start");
            // The memory of the one before may still be in use by a process that has not seen its end.
            if started.output().unwrap().status.success() {
                return;
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL does not start: {said}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn kill(&self) {
        let Ok(file) = std::fs::read_to_string(self.data().join("postmaster.pid")) else { return };
        let postmaster = file.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &postmaster]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        let killed = Command::new("kill").arg("-9").arg(&postmaster).args(children.split_whitespace()).output();
        drop(killed.unwrap());
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !is_root() {
            return Command::new(program);
        }
        // PostgreSQL does not run as root.
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program).current_dir("/");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}
