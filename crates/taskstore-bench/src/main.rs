//! Measures taskstore on this machine.
//!
//! ```console
//! $ cargo run --release -p taskstore-bench -- --quick
//! ```

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use taskstore_bench::{Place, Plan, Progress, Report, Result, Size, play, run, without_password};

/// Measures how fast tasks go in and out, how soon one is picked up, and what that costs.
#[derive(Debug, Parser)]
#[command(name = "taskstore-bench", version)]
struct Options {
    /// Where to measure; may be given several times. sqlite://PATH is a file that may be made and
    /// removed; postgres://USER@HOST/DATABASE and mysql://USER@HOST/DATABASE are servers on which
    /// databases may be made and removed. By default a temporary file of SQLite in this folder.
    #[arg(long)]
    url: Vec<String>,
    /// Less of everything: under 30 seconds, for a first look.
    #[arg(long)]
    quick: bool,
    /// How often every case is measured; 3 by default.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: Option<u8>,
    /// Only the cases whose names hold this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Writes a page for the documentation into this file too, and JSON beside it.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Does the part of a case that is on the standard input; this is how the program uses itself.
    #[arg(long, hide = true, exclusive = true)]
    part: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match obey(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when this cannot be written.
            let _ = writeln!(io::stderr(), "taskstore-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(options: Options) -> Result<()> {
    if options.part {
        let answer = play().await?;
        return Ok(writeln!(io::stdout(), "{answer}")?);
    }
    let mut places = Vec::new();
    for url in &options.url {
        places.push(Place::at(url).await?);
    }
    if places.is_empty() {
        places.push(Place::temporary_in(Path::new("."))?);
    }
    let measured = tokio::select! {
        measured = measure(&options, &mut places) => measured,
        _ = tokio::signal::ctrl_c() => Err("stopped".into()),
    };
    for mut place in places {
        place.remove().await?;
    }
    tell(&options, &measured?)
}

async fn measure(options: &Options, places: &mut [Place]) -> Result<Report> {
    let size = if options.quick { Size::Quick } else { Size::Full };
    let mut plan = Plan::new(size, options.rounds.map(usize::from));
    if let Some(text) = &options.only {
        plan.cases.retain(|case| case.name.contains(text.as_str()));
        if plan.cases.is_empty() {
            return Err(format!("no case's name holds {text:?}").into());
        }
    }
    let terminal = io::stderr().is_terminal();
    // The measurement counts, whether or not somebody watches it.
    run(&plan, places, &std::env::current_exe()?, |progress| match progress {
        Progress::Begins(what) if terminal => {
            let _ = write!(io::stderr(), "\r\x1b[K{what} ...");
        }
        Progress::Ended(what) => {
            let clear = if terminal { "\r\x1b[K" } else { "" };
            let _ = writeln!(io::stderr(), "{clear}{what}");
        }
        _ => {}
    })
    .await
}

fn tell(options: &Options, report: &Report) -> Result<()> {
    if let Some(page) = &options.markdown {
        std::fs::write(page, report.to_markdown(&command()))?;
        std::fs::write(page.with_extension("json"), report.to_json()?)?;
    }
    if options.json {
        write!(io::stdout(), "{}", report.to_json()?)?;
        writeln!(io::stderr(), "{}", report.summary())?;
    } else {
        writeln!(io::stdout(), "{report}\n{}", report.summary())?;
    }
    Ok(())
}

/// How to run this again.
fn command() -> String {
    let arguments: Vec<String> =
        std::env::args().skip(1).map(|argument| quoted(&argument)).collect();
    format!("cargo run --release -p taskstore-bench -- {}", arguments.join(" "))
}

/// For a shell, and without a password.
fn quoted(argument: &str) -> String {
    let argument = without_password(argument);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,%".contains(c);
    if argument.chars().all(plain) { argument } else { format!("'{argument}'") }
}
