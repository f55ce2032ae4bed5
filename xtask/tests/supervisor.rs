//! A server ends with whoever launched it, and takes its folder with it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::json;

/// A supervisor whose server is a script.
struct Supervised {
    process: Child,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Supervised {
    fn start(before: &str, server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let script = |text: &str| json!({ "words": ["sh", "-c", text], "input": null });
        let plan = json!({
            "folder": folder,
            "account": null,
            "before": [script(before)],
            "server": script(server),
            "stop": "TERM",
        });
        let mut process = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("supervise")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(process.stdin.as_mut().unwrap(), "{plan}").unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output, folder }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What is said until nobody is left who could say anything.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// Says its process id, and runs until somebody ends it.
const SERVER: &str = "cat made; echo $$; while :; do sleep 0.05; done";

fn runs(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

#[test]
fn given_a_server_when_the_launchers_pipe_closes_then_it_ends_and_its_folder_is_gone() {
    let mut supervised = Supervised::start("echo made > made", SERVER);
    assert_eq!(supervised.line(), "made");
    let server = supervised.line();
    assert!(!Path::new("/proc/self").exists() || runs(&server));

    drop(supervised.process.stdin.take());
    assert!(supervised.process.wait().unwrap().success());
    assert!(!runs(&server));
    assert!(!supervised.folder.exists());
}

#[test]
fn given_a_long_preparation_when_the_launchers_pipe_closes_then_no_server_is_started() {
    let mut supervised = Supervised::start("echo before; exec sleep 600", SERVER);
    assert_eq!(supervised.line(), "before");

    drop(supervised.process.stdin.take());
    assert!(supervised.process.wait().unwrap().success());
    assert_eq!(supervised.rest(), "");
    assert!(!supervised.folder.exists());
}

#[test]
fn given_a_preparation_or_a_server_that_fails_when_run_then_what_it_said_is_passed_on() {
    for (before, server) in [("echo no disk >&2; exit 3", SERVER), ("true", "echo no disk; exit 3")]
    {
        let mut supervised = Supervised::start(before, server);
        let said = supervised.rest();
        assert!(said.starts_with("no disk\n"), "{said}");
        assert!(said.contains("exit status: 3"), "{said}");
        assert!(!supervised.process.wait().unwrap().success());
        assert!(!supervised.folder.exists());
    }
}
