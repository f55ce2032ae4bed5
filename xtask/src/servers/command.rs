//! `cargo xtask servers`: the servers of the tests, for whoever runs tests by hand.

use std::{
    ffi::OsString,
    io::Read as _,
    process::{Command, Stdio},
};

use super::{Engine, Servers};
use crate::{Result, matrix, screen::say};

/// Runs a command beside the servers, or waits until the standard input ends. Ctrl-C ends us, and
/// the servers with us. Whether the command ended well.
pub(crate) fn run(on: &[String], command: &[OsString]) -> Result<bool> {
    let servers = if on.is_empty() {
        Servers::start(&Engine::ALL)?
    } else {
        Servers { running: matrix::servers(on)?, pooler: None }
    };
    let Some((program, arguments)) = command.split_first() else {
        for line in servers.describe() {
            say(&format!("# {line}"));
        }
        for line in servers.exports() {
            say(&line);
        }
        say("# they run until Ctrl-C");
        std::io::stdin().read_to_end(&mut Vec::new())?;
        return Ok(true);
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit());
    let status = servers
        .tell(&mut command)
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(status.success())
}
