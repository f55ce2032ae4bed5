//! What handlers write down as they run, in a file of their process that outlives a kill -9, and the
//! judge of it: the store's word against theirs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use taskstore::{Status, Store, TaskId};

/// One line of a ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since 1970.
    pub at: u128,
    /// The process that ran the handler.
    pub process: u32,
    /// The task.
    pub task: TaskId,
    /// Which attempt it was told that it is.
    pub attempt: u32,
    /// What happened.
    pub what: What,
}

/// What a handler writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It begins.
    Began,
    /// It is about to return.
    Ended,
}

/// A ledger that is written. Each line is one write to the file, so that the operating system has it
/// whatever becomes of the process.
#[derive(Debug)]
pub struct Ledger {
    file: Mutex<File>,
}

impl Ledger {
    /// Opens the ledger of this process in a folder.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join(format!("{}.ledger", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Writes a line down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, task: TaskId, attempt: u32, what: What) -> std::io::Result<()> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
        let entry = Entry { at, process: std::process::id(), task, attempt, what };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write_all(&line)
    }
}

/// All ledgers of a folder, in the order of time. A line that a kill cut off is no line.
///
/// # Errors
/// A file cannot be read.
pub fn read(folder: &Path) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path: PathBuf = file?.path();
        if path.extension().is_some_and(|ending| ending == "ledger") {
            let text = std::fs::read_to_string(path)?;
            entries
                .extend(text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()));
        }
    }
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

/// So many attempts may be charged in a run of a fleet though no handler wrote that it began: for the
/// store a task that was isolated has started, and a kill in the moment between that and the
/// handler's first line is not told from one just after it. A kill can meet one such moment at most,
/// and hardly ever does; a rule that charged what did not start would charge dozens.
const CHARGED_UNSEEN_MAX: usize = 2;

/// What a run of a fleet came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Tasks that were enqueued.
    pub tasks: usize,
    /// Handlers that began.
    pub runs: usize,
    /// Runs of a task that had run before, in a process that was killed or stopped.
    pub reruns_explained: usize,
    /// Runs of a task that had run before in a process that lived all the time.
    pub reruns_unexplained: Vec<TaskId>,
    /// Tasks that have not ended in success.
    pub lost: Vec<TaskId>,
    /// Tasks with more attempts on their account than handlers began.
    pub overcharged: Vec<TaskId>,
}

impl Verdict {
    /// Whether every promise was kept, as far as it can be seen from outside.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.reruns_unexplained.is_empty()
            && self.lost.is_empty()
            && self.overcharged.len() <= CHARGED_UNSEEN_MAX
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tasks                                  {:>7}", self.tasks)?;
        writeln!(f, "runs                                   {:>7}", self.runs)?;
        writeln!(f, "reruns after a kill or a stop          {:>7}", self.reruns_explained)?;
        writeln!(f, "reruns of living workers' tasks        {:>7}", self.reruns_unexplained.len())?;
        writeln!(f, "tasks lost                             {:>7}", self.lost.len())?;
        writeln!(f, "attempts charged that did not start    {:>7}", self.overcharged.len())?;
        for (what, tasks) in [
            ("rerun without a reason", &self.reruns_unexplained),
            ("lost", &self.lost),
            ("overcharged", &self.overcharged),
        ] {
            for task in tasks.iter().take(5) {
                writeln!(f, "{what}: {task}")?;
            }
        }
        Ok(())
    }
}

/// Judges a run in which every task was to succeed: `harmed` are the processes that were killed or
/// stopped.
///
/// # Errors
/// The store cannot be read.
pub async fn judge(
    store: &Store,
    tasks: &[TaskId],
    ledger: &[Entry],
    harmed: &BTreeSet<u32>,
) -> taskstore::Result<Verdict> {
    let mut began: BTreeMap<TaskId, Vec<u32>> = BTreeMap::new();
    for entry in ledger.iter().filter(|entry| entry.what == What::Began) {
        began.entry(entry.task).or_default().push(entry.process);
    }
    let mut verdict = Verdict { tasks: tasks.len(), ..Verdict::default() };
    for &id in tasks {
        let runs = began.remove(&id).unwrap_or_default();
        verdict.runs += runs.len();
        // The one run that counts may come before a stale one: a process that was stopped may begin
        // a task that it no longer holds before it hears so.
        let unharmed = runs.iter().filter(|&process| !harmed.contains(process)).count();
        if unharmed > 1 {
            verdict.reruns_unexplained.push(id);
        } else {
            verdict.reruns_explained += runs.len().saturating_sub(1);
        }
        let task = store.tasks().get(id).await?;
        if task.status != Status::Success {
            verdict.lost.push(id);
        }
        if task.attempts as usize > runs.len() {
            verdict.overcharged.push(id);
        }
    }
    Ok(verdict)
}
