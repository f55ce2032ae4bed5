//! What is done in a process of its own, and how it is told and heard.
//!
//! The program starts itself, and writes the part as a line of JSON into its standard input, where no
//! list of processes shows the URL. A part answers with one line of JSON on its standard output, after
//! what else it may have to say there.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    Result, engine,
    workload::{disk, drain, enqueue, idle, pick_up, share},
};

/// The option that says that a part follows.
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
    /// Runs tasks of the store beside others who do, from when it is told to until its standard input
    /// ends, and says how many it has run.
    Share {
        /// The store.
        url: String,
        /// How many there are, for all.
        tasks: u64,
    },
    /// Makes the naive queue.
    NaiveFill {
        /// The place.
        url: String,
        /// How many jobs.
        rows: u64,
    },
    /// Runs the naive queue for a while.
    Naive {
        /// The place.
        url: String,
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
    /// Runs nothing for a while, and says when that begins and ends; until its standard input ends.
    Idle {
        /// The store.
        url: String,
        /// For so long.
        lasts: Duration,
    },
}

impl Part {
    /// For errors, which must not show a password.
    const fn name(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "disk",
            Self::Fill { .. } => "fill",
            Self::Enqueue { .. } => "enqueue",
            Self::Drain { .. } => "drain",
            Self::Share { .. } => "share",
            Self::NaiveFill { .. } => "naive fill",
            Self::Naive { .. } => "naive",
            Self::PickUp { .. } => "pick-up",
            Self::PutDown { .. } => "put-down",
            Self::Serve { .. } => "serve",
            Self::Idle { .. } => "idle",
        }
    }
}

/// Does the part that is named on the standard input in this process, and gives its answer.
///
/// # Errors
/// Whatever went wrong.
pub async fn play() -> Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match serde_json::from_str(&line)? {
        Part::Disk { path, lasts } => answer(&disk::part(&path, lasts)?),
        Part::Fill { url, bytes, tasks } => answer(&drain::fill(&url, bytes, tasks).await?),
        Part::Enqueue { url, callers, per_call, lasts } => {
            answer(&enqueue::part(&url, callers, per_call, lasts).await?)
        }
        Part::Drain { url, tasks } => answer(&drain::part(&url, tasks).await?),
        Part::Share { url, tasks } => answer(&share::part(&url, tasks).await?),
        Part::NaiveFill { url, rows } => answer(&engine::fill_naive(&url, rows).await?),
        Part::Naive { url, rows, lasts } => answer(&engine::run_naive(&url, rows, lasts).await?),
        Part::PickUp { url, tasks } => answer(&pick_up::within(&url, tasks).await?),
        Part::PutDown { url, tasks } => answer(&pick_up::put_down(&url, tasks).await?),
        Part::Serve { url } => answer(&pick_up::serve(&url).await?),
        Part::Idle { url, lasts } => answer(&idle::part(&url, lasts).await?),
    }
}

fn answer(answer: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(answer)?)
}

/// Says a line to whoever started this part.
pub(crate) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Waits until whoever started this part has nothing more to say.
pub(crate) async fn dismissed() -> Result<()> {
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
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
        self.start(part).await?.dismiss().await
    }

    /// Starts the part. It ends when this is dropped.
    pub(crate) async fn start(&self, part: &Part) -> Result<Player> {
        let mut command = Command::new(&self.program);
        command.arg(OPTION).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let heard = child.stdout.take().ok_or("a part has no output")?;
        let mut player =
            Player { part: part.name(), child, heard: BufReader::new(heard).lines(), last: None };
        player.tell(&serde_json::to_string(part)?).await?;
        Ok(player)
    }
}

/// A process that does a part.
pub(crate) struct Player {
    part: &'static str,
    child: Child,
    heard: Lines<BufReader<ChildStdout>>,
    last: Option<String>,
}

impl Player {
    /// Says a line to it.
    pub(crate) async fn tell(&mut self, line: &str) -> Result<()> {
        let told = self.child.stdin.as_mut().ok_or("a part has no input")?;
        told.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(told.flush().await?)
    }

    /// The next line that it says.
    pub(crate) async fn hear(&mut self) -> Result<String> {
        match self.hear_or_end().await? {
            Some(line) => Ok(line),
            None => Err(format!("{} ended too early", self.part).into()),
        }
    }

    /// Waits until it says this line.
    pub(crate) async fn hear_out(&mut self, line: &str) -> Result<()> {
        while self.hear().await? != line {}
        Ok(())
    }

    /// Tells it that this is all.
    pub(crate) fn end(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Its answer, when it has given one and done all else that it had to do before.
    pub(crate) async fn answer<A: DeserializeOwned>(&mut self) -> Result<A> {
        self.end();
        while let Some(line) = self.hear_or_end().await? {
            self.last = Some(line);
        }
        let last = self.last.take().ok_or_else(|| format!("{} said nothing", self.part))?;
        Ok(serde_json::from_str(&last).map_err(|error| format!("{}: {error}", self.part))?)
    }

    /// Waits until its process is gone.
    pub(crate) async fn leave(mut self) -> Result<()> {
        let status = timeout(PART_LASTS_MAX, self.child.wait()).await??;
        if !status.success() {
            return Err(format!("{} failed: {status}", self.part).into());
        }
        Ok(())
    }

    /// Its answer, when its process is gone.
    pub(crate) async fn dismiss<A: DeserializeOwned>(mut self) -> Result<A> {
        let answer = self.answer().await;
        // How it failed says more than that it gave no answer.
        self.leave().await?;
        answer
    }

    async fn hear_or_end(&mut self) -> Result<Option<String>> {
        let line = timeout(PART_LASTS_MAX, self.heard.next_line()).await;
        let line = line.map_err(|_| format!("{} took more than {PART_LASTS_MAX:?}", self.part))?;
        Ok(line?)
    }
}
