//! A server of a test's own: to be killed, stopped, promoted, or set up in another way than others like it.
//!
//! It does not outlive the test, nor a test program that is killed: a shell that waits for the program's end
//! ends it then.

#![allow(dead_code, reason = "each test program uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// A server that is not ready after this is not going to be.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// One that was killed leaves processes behind for a moment, which must end before it can start again.
const STARTS_MAX: u32 = 100;

/// Where the programs of PostgreSQL are, if they are installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let mut debian: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    debian.sort();
    let is_whole = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_basebackup", "pg_ctl"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    on_path.chain(debian.into_iter().rev()).find(is_whole)
}

/// Why a test of a server of its own cannot run here.
pub(crate) fn missing() -> Option<&'static str> {
    if std::env::var_os(crate::harness::SERVER).is_none() {
        Some("TASKSTORE_TEST_POSTGRES_URL names no server")
    } else if !cfg!(target_os = "linux") {
        Some("servers are only killed on Linux")
    } else if programs().is_none() {
        Some("the programs of PostgreSQL are not installed here")
    } else {
        None
    }
}

/// Who runs servers: they refuse to run as root.
fn account() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].iter().find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)))
}

/// A server that runs until it is dropped.
pub(crate) struct OwnServer {
    folder: TempDir,
    account: Option<(u32, u32)>,
    port: u16,
    settings: Vec<String>,
    postmaster: Mutex<Option<Child>>,
    /// Ends the server when the pipe to it is closed.
    _guard: Child,
}

impl OwnServer {
    /// Makes and starts one with these settings, as `name=value`.
    pub(crate) fn boot(settings: &[&str]) -> Self {
        let server = Self::new(settings);
        let mut initdb = server.program("initdb");
        initdb.args(["-A", "trust", "-U", "postgres", "--no-sync", "--no-instructions"]);
        initdb.args(["--encoding=UTF8", "--locale=C", "--wal-segsize=4", "-D"]).arg(server.data());
        succeed(&mut initdb);
        server.start();
        server
    }

    /// Makes and starts a standby of another, which follows it.
    pub(crate) fn standby_of(primary: &Self, settings: &[&str]) -> Self {
        let server = Self::new(settings);
        let mut backup = server.program("pg_basebackup");
        backup.args(["-h", "127.0.0.1", "-p", &primary.port.to_string(), "-U", "postgres"]);
        backup.args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"]).arg(server.data());
        succeed(&mut backup);
        server.start();
        server
    }

    fn new(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("taskstore-own-").tempdir().unwrap();
        let account = account();
        if let Some((user, group)) = account {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let end = "read nothing; pid=$(head -n 1 \"$0/data/postmaster.pid\") && \
            kill -CONT $pid && kill -QUIT $pid && rm -rf \"$0\"";
        let guard = Command::new("sh")
            .args(["-c", end])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            folder,
            account,
            port,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            postmaster: Mutex::default(),
            _guard: guard,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs().unwrap().join(name));
        command.current_dir(self.folder.path()).env("LC_ALL", "C").stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where a superuser finds it.
    pub(crate) fn url(&self) -> String {
        url(self.port)
    }

    /// Starts it, again after it was killed, and returns when it can be connected to.
    pub(crate) fn start(&self) {
        let mut said = String::new();
        for _ in 0..STARTS_MAX {
            match self.start_once() {
                Ok(postmaster) => {
                    *self.postmaster.lock().unwrap() = Some(postmaster);
                    return;
                }
                Err(why) => said = why,
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not start: {said}");
    }

    /// What it said if it has ended instead.
    fn start_once(&self) -> Result<Child, String> {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let own = ["listen_addresses=127.0.0.1", "unix_socket_directories="];
        for setting in own.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        let mut postmaster =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
        let log = BufReader::new(postmaster.stderr.take().unwrap());
        let (tell, hear) = mpsc::channel();
        // Read to its end, or the server would wait for somebody who does.
        thread::spawn(move || {
            log.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        let mut said = String::new();
        loop {
            match hear.recv_timeout(START_TIME_MAX) {
                Ok(line) if line.contains("ready to accept") => return Ok(postmaster),
                Ok(line) => said = said + &line + "\n",
                Err(_) => break,
            }
        }
        let _ = postmaster.kill();
        postmaster.wait().unwrap();
        Err(said)
    }

    /// Its process, and those that it has made.
    fn processes(&self) -> Vec<u32> {
        let Some(postmaster) = self.postmaster.lock().unwrap().as_ref().map(Child::id) else {
            return Vec::new();
        };
        let parent = |process: &Path| -> Option<u32> {
            let stat = fs::read_to_string(process.join("stat")).ok()?;
            stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
        };
        let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
            let number: u32 = process.file_name().to_str()?.parse().ok()?;
            (parent(&process.path()) == Some(postmaster)).then_some(number)
        });
        // The parent first, so that it makes no more of them.
        [postmaster].into_iter().chain(children).collect()
    }

    fn signal(&self, signal: &str) {
        // Once for the parent, and then for all that it has.
        for _ in 0..2 {
            let processes: Vec<_> = self.processes().iter().map(u32::to_string).collect();
            // One that has ended meanwhile is no error.
            let kill = format!("kill -{signal} {} 2>/dev/null", processes.join(" "));
            let _ = Command::new("sh").args(["-c", &kill]).status().unwrap();
        }
    }

    /// As if the machine had lost its power, but for what the disk was told and has not written.
    pub(crate) fn kill(&self) {
        self.signal("KILL");
        if let Some(mut postmaster) = self.postmaster.lock().unwrap().take() {
            postmaster.wait().unwrap();
        }
    }

    /// It does nothing any more, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Goes on as if nothing had been.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Makes a primary of a standby, and returns when it is one.
    pub(crate) fn promote(&self) {
        succeed(self.program("pg_ctl").args(["promote", "-w", "-D"]).arg(self.data()));
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where a superuser finds what listens on this port.
pub(crate) fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
