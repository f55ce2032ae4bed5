//! A server of a test's own, which it may set up, stop, kill and start again.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use tempfile::TempDir;

/// Runs a server until our end of the pipe is closed, however we end, and first says which process it is.
const SUPERVISOR: &str =
    "\"$@\" >log 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null; wait $!; exit 0";

const USERS: &str = "CREATE USER 'taskstore'@'%' IDENTIFIED BY '';
GRANT ALL ON *.* TO 'taskstore'@'%' WITH GRANT OPTION;
CREATE DATABASE taskstore;
";

/// Whether there is a server that a test could start.
pub(crate) fn can_be_had() -> bool {
    program().is_some()
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin"];
    let folders: Vec<_> = std::env::split_paths(&path).chain(more.map(PathBuf::from)).collect();
    let find = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|p| p.is_file());
    fs::canonicalize(["mariadbd", "mysqld"].iter().find_map(|name| find(name))?).ok()
}

/// A server.
pub(crate) struct Own {
    folder: TempDir,
    program: PathBuf,
    account: Option<u32>,
    port: u16,
    options: Vec<String>,
    supervisor: Option<Child>,
    process: u32,
}

impl Own {
    /// Makes one and starts it with these options.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("taskstore-test-").tempdir().unwrap();
        let account = account(folder.path());
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let program = program().unwrap();
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut own =
            Self { folder, program, account, port, options, supervisor: None, process: 0 };
        own.make_tables();
        own.run().await;
        own
    }

    fn command(&self, options: &[&str]) -> Vec<String> {
        let mut words = vec![self.program.display().to_string(), "--no-defaults".into()];
        let data = self.folder.path().join("data");
        words.push(format!("--datadir={}", data.display()));
        words.extend(options.iter().map(|&option| option.to_owned()));
        words
    }

    /// What neither differs between two runs.
    fn lasting(&self) -> impl Iterator<Item = &str> {
        self.options
            .iter()
            .map(String::as_str)
            .filter(|o| o.starts_with("--lower-case-table-names"))
    }

    fn make_tables(&self) {
        let (folder, data) = (self.folder.path(), self.folder.path().join("data"));
        let script = folder.join("make.sql");
        let version = Command::new(&self.program).args(["--no-defaults", "--version"]).output();
        let maria = String::from_utf8_lossy(&version.unwrap().stdout).contains("MariaDB");
        let mut lasting: Vec<_> = self.lasting().collect();
        let init = format!("--init-file={}", script.display());
        let (text, options) = if maria {
            fs::create_dir(&data).unwrap();
            self.own(&data);
            lasting.extend([
                "--bootstrap",
                "--skip-networking",
                "--log-warnings=0",
                "--innodb-flush-log-at-trx-commit=0",
            ]);
            (format!("{}FLUSH PRIVILEGES;\n{USERS}", self.system_tables()), lasting)
        } else {
            lasting.extend(["--initialize-insecure", &*init]);
            (USERS.to_owned(), lasting)
        };
        fs::write(&script, text).unwrap();
        self.own(&script);
        let words = self.command(&options);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(folder).stdin(fs::File::open(&script).unwrap());
        let made = self.as_account(&mut command).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn system_tables(&self) -> String {
        let base = self.program.parent().unwrap().parent().unwrap();
        let share = ["share/mariadb", "share/mysql"].map(|name| base.join(name));
        let mut text = String::from("CREATE DATABASE mysql;\nUSE mysql;\n");
        for script in ["system_tables", "performance_tables", "system_tables_data"] {
            let names = share.iter().flat_map(|share| {
                ["mariadb", "mysql"].map(|maker| share.join(format!("{maker}_{script}.sql")))
            });
            text += &fs::read_to_string(names.into_iter().find(|f| f.is_file()).unwrap()).unwrap();
            text += "\n";
        }
        text
    }

    fn own(&self, path: &Path) {
        if let Some(account) = self.account {
            std::os::unix::fs::chown(path, Some(account), None).unwrap();
        }
    }

    fn as_account<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        use std::os::unix::process::CommandExt as _;
        if let Some(account) = self.account {
            command.uid(account).gid(account);
        }
        // Servers that are made at the same time take each other's temporary tables away.
        command.env("TMPDIR", self.folder.path())
    }

    /// Starts it, where it was before, and waits until it lets somebody in.
    pub(crate) async fn run(&mut self) {
        let folder = self.folder.path().to_owned();
        let options = [
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={}", self.port),
            format!("--socket={}", folder.join("socket").display()),
            format!("--pid-file={}", folder.join("pid").display()),
        ];
        let mut all: Vec<&str> = options.iter().map(String::as_str).collect();
        all.extend(self.options.iter().map(String::as_str));
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh"]).args(self.command(&all)).current_dir(&folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut supervisor = self.as_account(&mut command).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.process = line.trim().parse().unwrap();
        self.supervisor = Some(supervisor);
        let began = Instant::now();
        while let Err(error) = self.try_person().await {
            let said = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "{error}\n{}", said());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Starts it again, with options that it did not have.
    pub(crate) async fn run_with(&mut self, options: &[&str]) {
        self.kill();
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self.run().await;
    }

    /// Ends it as a power cut would, as far as it can tell.
    pub(crate) fn kill(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            drop(supervisor.stdin.take());
            supervisor.wait().unwrap();
        }
    }

    /// Its process, for [`signal`].
    pub(crate) const fn process(&self) -> u32 {
        self.process
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, for somebody who may do everything.
    pub(crate) fn url(&self) -> String {
        format!("mysql://taskstore@127.0.0.1:{}/taskstore", self.port)
    }

    async fn try_person(&self) -> mysql_async::Result<Conn> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .prefer_socket(false)
            .user(Some("taskstore"));
        Conn::new(options).await
    }

    /// Runs statements as somebody who may do everything.
    pub(crate) async fn sql(&self, sql: &str) {
        let mut person = self.try_person().await.unwrap();
        person.query_drop(sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        person.disconnect().await.unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal: `STOP`, `CONT`, `KILL`.
pub(crate) fn signal(process: u32, signal: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
    assert!(sent.unwrap().success());
}

/// Whom it runs under, because it refuses to run as root; `None`: ourselves.
fn account(folder: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata(folder).unwrap().uid() != 0 {
        return None;
    }
    let number = |name: &&str| {
        let output = Command::new("id").args(["-u", name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let account: Option<u32> = ["mysql", "nobody"].iter().find_map(number);
    std::os::unix::fs::chown(folder, account, None).unwrap();
    account
}
