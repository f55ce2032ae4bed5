//! The project's chores: `cargo xtask COMMAND`. One module a command; what they share (steps,
//! the tally of tests, the checks of the machine) has a module of its own.
//!
//! Everything here must work on a bare machine with cargo and a C compiler: no command may need a
//! cargo subcommand that does not come with Rust.

mod check_more;
mod docs;
mod engine_files;
mod environment;
mod links;
mod lint;
mod matrix;
mod metadata;
mod screen;
mod servers;
mod step;
mod tally;
mod test;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// The chores of taskstore.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets up what the tests need and runs all of them.
    Test,
    /// Checks format, lints, documentation and the rules of the house.
    Lint,
    /// Writes the parts of the documentation that are made from code.
    Docs,
    /// Runs database servers for the tests, until Ctrl-C or for as long as a command runs.
    Servers {
        /// A server of the matrix instead of the two that are installed; may be given again.
        #[arg(long, value_name = "NAME")]
        on: Vec<String>,
        /// The command, which finds the servers in its environment.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Runs the conformance suite on many servers and writes docs/engines.md.
    Matrix {
        /// The stores to run it on; all, if none is named.
        names: Vec<String>,
    },
    /// Checks what takes longer: what a release lacks, the oldest rusqlite, other libraries beside ours.
    CheckMore,
    /// Runs one database server until its standard input is closed; for this program only.
    #[command(name = servers::SUPERVISE, hide = true)]
    Supervise,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test => test::run(),
        Command::Lint => lint::run(),
        Command::Docs => docs::run(),
        Command::Servers { on, command } => servers::run(&on, &command),
        Command::Matrix { names } => matrix::run(&names),
        Command::CheckMore => check_more::run(),
        Command::Supervise => servers::supervise(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            screen::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// An error that is only ever shown to a person.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
