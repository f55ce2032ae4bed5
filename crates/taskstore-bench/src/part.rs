//! What is done in a process of its own, and how it is told and heard.
//!
//! The program starts itself with the part as JSON. A part answers with one line of JSON on its
//! standard output, after what else it may have to say there.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{
    Result,
    place::Durability,
    workload::{disk, drain, enqueue, idle, naive, pick_up},
};

/// The option that is followed by a part.
const OPTION: &str = "--part";
/// Far more than any part takes, so that one that hangs is an error.
const PART_LASTS_MAX: Duration = Duration::from_secs(300);

/// What one process does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Part {
    /// Writes into a file, and waits for the disk, again and again.
    Disk {
        /// The file.
        path: PathBuf,
        /// For so long.
        lasts: Duration,
    },
    /// Makes a store, and puts jobs in it, if any.
    Fill {
        /// The store.
        url: String,
        /// Parameters of each.
        bytes: usize,
        /// How many.
        tasks: u64,
    },
    /// Enqueues for a while.
    Enqueue {
        /// The store.
        url: String,
        /// How many at the same time.
        callers: usize,
        /// How many tasks in each call.
        per_call: usize,
        /// For so long.
        lasts: Duration,
    },
    /// Runs all tasks of the store.
    Drain {
        /// The store.
        url: String,
        /// How many there are.
        tasks: u64,
    },
    /// Makes the naive queue.
    NaiveFill {
        /// The file.
        path: PathBuf,
        /// When its commits count.
        durability: Durability,
        /// How many jobs.
        rows: u64,
    },
    /// Runs the naive queue for a while.
    Naive {
        /// The file.
        path: PathBuf,
        /// When its commits count.
        durability: Durability,
        /// How many jobs there are.
        rows: u64,
        /// For so long.
        lasts: Duration,
    },
    /// Enqueues one task after another for a runner of the same process.
    PickUp {
        /// The store.
        url: String,
        /// How many.
        tasks: u64,
    },
    /// Enqueues one task after another for somebody else.
    PutDown {
        /// The store.
        url: String,
        /// How many.
        tasks: u64,
    },
    /// Runs the tasks of somebody else, and says when each has started, until its standard input
    /// ends.
    Serve {
        /// The store.
        url: String,
    },
    /// Runs nothing for a while.
    Idle {
        /// The store.
        url: String,
        /// For so long.
        lasts: Duration,
    },
}

/// Does this part in this process, and gives its answer.
///
/// # Errors
/// Whatever went wrong.
pub async fn play(part: Part) -> Result<String> {
    match part {
        Part::Disk { path, lasts } => answer(&disk::part(&path, lasts)?),
        Part::Fill { url, bytes, tasks } => answer(&drain::fill(&url, bytes, tasks).await?),
        Part::Enqueue { url, callers, per_call, lasts } => {
            answer(&enqueue::part(&url, callers, per_call, lasts).await?)
        }
        Part::Drain { url, tasks } => answer(&drain::part(&url, tasks).await?),
        Part::NaiveFill { path, durability, rows } => {
            answer(&naive::fill(&path, durability, rows)?)
        }
        Part::Naive { path, durability, rows, lasts } => {
            answer(&naive::part(&path, durability, rows, lasts)?)
        }
        Part::PickUp { url, tasks } => answer(&pick_up::within(&url, tasks).await?),
        Part::PutDown { url, tasks } => answer(&pick_up::put_down(&url, tasks).await?),
        Part::Serve { url } => answer(&pick_up::serve(&url).await?),
        Part::Idle { url, lasts } => answer(&idle::part(&url, lasts).await?),
    }
}

fn answer(answer: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(answer)?)
}

/// Whoever starts parts.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    program: PathBuf,
}

impl Stage {
    /// With this program, which does a part when it is told so.
    pub(crate) fn new(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }

    /// Does the part in a process of its own, and waits for its answer.
    pub(crate) async fn play<A: DeserializeOwned>(&self, part: &Part) -> Result<A> {
        let output = timeout(PART_LASTS_MAX, self.start(part)?.wait_with_output())
            .await
            .map_err(|_| format!("{part:?} took more than {PART_LASTS_MAX:?}"))??;
        if !output.status.success() {
            return Err(format!("{part:?} failed: {}", output.status).into());
        }
        let said = String::from_utf8(output.stdout)?;
        let last = said.lines().last().ok_or_else(|| format!("{part:?} said nothing"))?;
        Ok(serde_json::from_str(last)?)
    }

    /// Starts the part, with pipes to talk to it. It ends when this is dropped.
    pub(crate) fn start(&self, part: &Part) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg(OPTION).arg(serde_json::to_string(part)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        Ok(command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?)
    }
}
