//! A PostgreSQL server and its streaming standby in a temporary folder, as a city would run them:
//! they wait for their disks, and a commit waits for the standby.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Newest first.
const VERSIONS: &[&str] = &["18", "17", "16", "15"];

/// Two servers; both end when it is dropped.
pub struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
}

/// One of them, by the name of its folder.
#[derive(Clone, Copy, Debug)]
pub enum Server {
    First,
    Second,
}

impl Server {
    const ALL: [Server; 2] = [Server::First, Server::Second];

    fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

/// Where PostgreSQL's own programs are, if it is installed.
pub fn programs() -> Option<PathBuf> {
    let bin = |version: &&str| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    VERSIONS
        .iter()
        .map(bin)
        .find(|bin| bin.join("initdb").exists())
}

impl Cluster {
    /// Starts the first server with an empty database and the second as its standby.
    pub fn start(bin: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { folder, bin };
        let root = cluster.path("");
        if is_root() {
            run(Command::new("chown").arg("nobody").arg(&root));
        }
        run(Command::new("chmod").arg("755").arg(&root));
        let first = cluster.path("first");
        let made = [
            "-U",
            "luodi",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ];
        run(cluster.program("initdb").args(made).arg(&first));
        cluster.start_one(Server::First);
        let create =
            "CREATE DATABASE luodi TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'";
        cluster.ask(Server::First, create);
        let copy = [
            "-U",
            "luodi",
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "-h",
        ];
        let mut backup = cluster.program("pg_basebackup");
        run(backup
            .args(copy)
            .arg(cluster.socket(Server::First))
            .arg("-D")
            .arg(cluster.path("second")));
        cluster.start_one(Server::Second);
        cluster.ask(
            Server::First,
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        );
        cluster.ask(Server::First, "SELECT pg_reload_conf()");
        let sync = "SELECT COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        for _ in 0..600 {
            if cluster.ask(Server::First, sync) == "1" {
                return cluster;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the standby does not follow");
    }

    /// An address that names both and takes the one that can be written.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = Server::ALL
            .iter()
            .map(|server| self.socket(*server).display().to_string())
            .collect();
        let hosts = hosts.join(",");
        format!("host={hosts} user=luodi dbname=luodi target_session_attrs=read-write")
    }

    /// Starts a server, or starts it again.
    pub fn start_one(&self, server: Server) {
        let socket = self.socket(server);
        run(self.program("mkdir").arg("-p").arg(&socket));
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories={} -c max_connections=100",
            socket.display()
        );
        let log = self.path(&format!("{}.log", server.name()));
        let mut start = self.program("pg_ctl");
        start.args(["start", "-w", "-s", "-o", &options, "-l"]);
        run(start.arg(log).arg("-D").arg(self.path(server.name())));
    }

    /// Stops a server: `immediate` is as if its machine lost power.
    pub fn stop(&self, server: Server, how: &str) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "-w", "-s", "-m", how, "-D"]);
        run(stop.arg(self.path(server.name())));
    }

    /// Makes the standby the server that is written.
    pub fn promote(&self, server: Server) {
        let mut promote = self.program("pg_ctl");
        promote.args(["promote", "-w", "-s", "-D"]);
        run(promote.arg(self.path(server.name())));
    }

    fn ask(&self, server: Server, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["-U", "luodi", "-d", "postgres", "-Atqc", sql, "-h"]);
        let out = psql.arg(self.socket(server)).output().unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self, server: Server) -> PathBuf {
        self.path(&format!("{}-socket", server.name()))
    }

    /// A program run by whom PostgreSQL accepts: it refuses root.
    fn program(&self, name: &str) -> Command {
        let own = self.bin.join(name);
        let path = if own.exists() {
            own
        } else {
            PathBuf::from(name)
        };
        let mut command = if is_root() {
            let mut other = Command::new("setpriv");
            other.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
            other.arg(path);
            other
        } else {
            Command::new(path)
        };
        // The servers outlive the program that starts them, and would keep its pipes open.
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in Server::ALL {
            let mut stop = self.program("pg_ctl");
            stop.args(["stop", "-w", "-s", "-m", "immediate", "-D"]);
            stop.arg(self.path(server.name())).stderr(Stdio::null());
            // One of them may be stopped already.
            let _ = stop.status();
        }
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().unwrap().uid() == 0
}

#[track_caller]
fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}");
}
