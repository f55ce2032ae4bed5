//! What stands between a server and whoever launched it: a process of its own that ends the server
//! and removes its folder when the pipe that it reads is closed. The system closes the pipe however
//! the launcher ends, so that no server outlives it, not even a launcher that is killed.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::account::Account;
use crate::{Result, screen::say};

/// A server that was asked to end and still runs after this is killed.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// How a server is made and run. It is the first line that the supervisor reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Everything of the server is here, and is removed with it.
    pub(crate) folder: PathBuf,
    /// Who runs it; `None`: who launches it.
    pub(crate) account: Option<Account>,
    /// What must be run to its end before.
    pub(crate) before: Vec<Program>,
    /// The server.
    pub(crate) server: Program,
    /// The signal that ends it quickly and leaves nothing behind in the system.
    pub(crate) stop: String,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Its path, then what it is given.
    pub(crate) words: Vec<String>,
    /// A file that it reads; `None`: nothing.
    pub(crate) input: Option<PathBuf>,
}

impl Program {
    /// A program that reads nothing.
    pub(crate) fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), input: None }
    }
}

/// The program that runs at present.
#[derive(Default)]
struct Present {
    /// Its process id while it runs.
    process: Option<u32>,
    /// Nothing more may be started.
    closed: bool,
}

/// Does what the first line of the standard input says until that is closed. Whatever the programs
/// say goes to our standard output.
pub(crate) fn run() -> Result<bool> {
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line)?;

    let present = Arc::new(Mutex::new(Present::default()));
    let watcher = {
        let (present, stop) = (Arc::clone(&present), plan.stop.clone());
        move || {
            // An error is an end, too.
            let _ = input.read_to_end(&mut Vec::new());
            end(&present, &stop);
        }
    };
    thread::spawn(watcher);

    let done = serve(&plan, &present);
    // Whoever launched us may have removed it.
    let _ = fs::remove_dir_all(&plan.folder);
    if let Err(error) = &done {
        say(&error.to_string());
    }
    Ok(done.is_ok())
}

/// Runs one program of the plan after the other.
fn serve(plan: &Plan, present: &Mutex<Present>) -> Result<()> {
    for program in plan.before.iter().chain([&plan.server]) {
        let Some(mut child) = start(plan, program, present)? else { return Ok(()) };
        let status = wait(&mut child, present)?;
        if lock(present).closed {
            return Ok(());
        }
        if !status.success() {
            let name = program.words.first().map_or("", String::as_str);
            return Err(format!("{name}: {status}").into());
        }
    }
    Ok(())
}

/// `None`: nothing may be started any more.
fn start(plan: &Plan, program: &Program, present: &Mutex<Present>) -> Result<Option<Child>> {
    let (name, arguments) = program.words.split_first().ok_or("a program without a name")?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(&plan.folder)
        .env("TMPDIR", &plan.folder)
        // What it says is read by us.
        .env("LC_ALL", "C")
        .stdin(match &program.input {
            Some(file) => Stdio::from(File::open(file)?),
            None => Stdio::null(),
        })
        .stderr(std::io::stdout());
    if let Some(account) = plan.account {
        account.run(&mut command);
    }
    let mut present = lock(present);
    if present.closed {
        return Ok(None);
    }
    let child =
        command.spawn().map_err(|error| format!("{name} in {}: {error}", plan.folder.display()))?;
    present.process = Some(child.id());
    Ok(Some(child))
}

/// Waits without reaping the process under somebody who is about to signal it.
fn wait(child: &mut Child, present: &Mutex<Present>) -> Result<ExitStatus> {
    loop {
        {
            let mut present = lock(present);
            if let Some(status) = child.try_wait()? {
                present.process = None;
                return Ok(status);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the present program, first by the signal that it likes.
fn end(present: &Mutex<Present>, stop: &str) {
    let send = |signal: &str| {
        let mut present = lock(present);
        present.closed = true;
        if let Some(process) = present.process {
            // The shell's own `kill`: not every machine has a program of that name.
            let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
        }
    };
    send(stop);
    thread::sleep(STOP_TIME_MAX);
    send("KILL");
}

fn lock(present: &Mutex<Present>) -> MutexGuard<'_, Present> {
    present.lock().unwrap_or_else(PoisonError::into_inner)
}
