//! Measures taskstore on this machine.
//!
//! ```console
//! $ cargo run --release -p taskstore-bench -- --quick
//! ```

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use taskstore_bench::{Part, Place, Plan, Result, Size, play, run};

/// Measures how fast tasks go in and out, how soon one is picked up, and what that costs.
#[derive(Debug, Parser)]
#[command(name = "taskstore-bench", version)]
struct Options {
    /// A file that may be made and removed: sqlite://PATH. By default a temporary one in this
    /// folder.
    #[arg(long)]
    url: Option<String>,
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
    /// Does one part of a case, as JSON; this is how the program uses itself.
    #[arg(long, hide = true, exclusive = true)]
    part: Option<String>,
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
    match &options.part {
        Some(part) => {
            let answer = play(serde_json::from_str::<Part>(part)?).await?;
            Ok(writeln!(io::stdout(), "{answer}")?)
        }
        None => measure(&options).await,
    }
}

async fn measure(options: &Options) -> Result<()> {
    let place = match &options.url {
        Some(url) => Place::at(url)?,
        None => Place::temporary_in(Path::new("."))?,
    };
    let size = if options.quick { Size::Quick } else { Size::Full };
    let mut plan = Plan::new(size, options.rounds.map(usize::from));
    if let Some(text) = &options.only {
        plan.cases.retain(|case| case.name.contains(text.as_str()));
        if plan.cases.is_empty() {
            return Err(format!("no case's name holds {text:?}").into());
        }
    }
    let report = run(&plan, &place, &std::env::current_exe()?, |line| {
        // The measurement counts, whether or not somebody watches it.
        let _ = writeln!(io::stderr(), "{line}");
    })
    .await?;

    if let Some(page) = &options.markdown {
        std::fs::write(page, report.to_markdown(&command()))?;
        std::fs::write(page.with_extension("json"), report.to_json()?)?;
    }
    if options.json {
        write!(io::stdout(), "{}", report.to_json()?)?;
        writeln!(io::stderr(), "{}", report.summary().unwrap_or_default())?;
    } else {
        writeln!(io::stdout(), "{report}\n{}", report.summary().unwrap_or_default())?;
    }
    Ok(())
}

/// How to run this again.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p taskstore-bench -- {}", arguments.join(" "))
}
