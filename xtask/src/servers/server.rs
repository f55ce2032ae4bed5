//! One server that runs for as long as its value lives.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{
    account::{Account, apart},
    supervisor::Plan,
};
use crate::Result;

/// A server that is not ready after this is not going to be.
const START_TIME_MAX: Duration = Duration::from_secs(120);

/// Somebody else may take a free port before the server does.
const PORTS_TRIED: usize = 3;

/// What a server is made from.
pub(crate) trait Make {
    /// The server's name, for people.
    fn name(&self) -> String;

    /// The accounts that may run it, best first.
    fn accounts(&self) -> &'static [&'static str];

    /// Writes what the server needs into its folder, and says how it is run.
    fn plan(&self, folder: &Path, account: Option<Account>, port: u16) -> Result<Plan>;

    /// Whether the server says with this line that it can be connected to.
    fn is_ready(&self, line: &str) -> bool;

    /// The server's name and version, if it says them with this line.
    fn version(&self, line: &str) -> Option<String>;

    /// Where the server is connected to, by somebody who may create databases.
    fn url(&self, port: u16) -> String;
}

/// A server that runs. It ends when this is dropped, and when this process ends in any way.
#[derive(Debug)]
pub(crate) struct Server {
    supervisor: Child,
    /// Where it is.
    pub(crate) url: String,
    /// Its port of the loopback.
    pub(crate) port: u16,
    /// What it calls itself.
    pub(crate) version: String,
    /// A variable that tells tests more of it.
    pub(crate) also: Option<(&'static str, String)>,
}

impl Server {
    /// Makes and starts a server, and waits until it is ready.
    pub(crate) fn start(make: &dyn Make) -> Result<Self> {
        let mut tried = 1;
        loop {
            let port = free_port()?;
            match Self::start_on(make, port) {
                Err(_) if tried < PORTS_TRIED && !is_free(port) => tried += 1,
                done => return done,
            }
        }
    }

    fn start_on(make: &dyn Make, port: u16) -> Result<Self> {
        let account = Account::for_server(make.accounts())?;
        let folder = tempfile::Builder::new().prefix("taskstore-server-").tempdir()?;
        if let Some(account) = account {
            account.own(folder.path())?;
        }
        let plan = make.plan(folder.path(), account, port)?;
        let mut supervisor = supervise(&plan)?;
        // From here it is the supervisor who removes it.
        let _ = folder.keep();

        let output = supervisor.stdout.take().ok_or("the supervisor has no output")?;
        let heard = listen(output);
        let (url, version) = (make.url(port), make.name());
        let mut server = Self { supervisor, url, port, version, also: None };
        server.wait_until_ready(make, &heard)?;
        // Nobody who listens would stop the server in the end.
        thread::spawn(move || heard.into_iter().for_each(drop));
        Ok(server)
    }

    /// Reads what the server says until it is ready, or gives that as the error.
    fn wait_until_ready(&mut self, make: &dyn Make, heard: &mpsc::Receiver<String>) -> Result<()> {
        let mut said = String::new();
        let problem = loop {
            match heard.recv_timeout(START_TIME_MAX) {
                Ok(line) => {
                    if let Some(version) = make.version(&line) {
                        self.version = version;
                    }
                    if make.is_ready(&line) {
                        return Ok(());
                    }
                    said.push_str(&line);
                    said.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break "was not ready in time",
                Err(mpsc::RecvTimeoutError::Disconnected) => break "did not start",
            }
        };
        Err(format!("{} {problem}. It said:\n{}", make.name(), said.trim_end()).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// Starts this very program as the supervisor of a server.
fn supervise(plan: &Plan) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(super::SUPERVISE).stdin(Stdio::piped()).stdout(Stdio::piped());
    apart(&mut command);
    let mut supervisor = command.spawn()?;
    let input = supervisor.stdin.as_mut().ok_or("the supervisor has no input")?;
    writeln!(input, "{}", serde_json::to_string(plan)?)?;
    Ok(supervisor)
}

/// The lines that a server says, as they come.
fn listen(output: ChildStdout) -> mpsc::Receiver<String> {
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if tell.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    hear
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether nobody listens on a port of this machine.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Writes a file that the server's account can read.
pub(crate) fn put(path: &Path, text: &str, account: Option<Account>) -> Result<()> {
    fs::write(path, text)?;
    account.map_or(Ok(()), |account| account.own(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_until_somebody_listens_on_it() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(!is_free(port));
        drop(taken);
        assert!(is_free(port));
        assert_ne!(free_port().unwrap(), 0);
    }
}
