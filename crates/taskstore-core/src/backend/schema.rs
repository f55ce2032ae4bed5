//! What an engine can do, and its tables.

/// What an engine can and cannot do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Tasks outlive the process.
    pub durable: bool,
    /// Several processes may share the store.
    pub shared: bool,
    /// `wait_for_work` hears at once of work that came through the same backend.
    pub notifies_in_process: bool,
    /// `wait_for_work` hears within milliseconds of work enqueued by other processes.
    pub notifies_across_processes: bool,
    /// People enqueue with plain SQL, from any connection and inside any transaction, by an `INSERT`
    /// into `task_enqueue`, which refuses what [`Store`](crate::Store) refuses.
    pub plain_sql: bool,
}

impl Capabilities {
    /// Whether `wait_for_work` hears of all work, whoever enqueues it.
    #[must_use]
    pub const fn hears_of_everything(self) -> bool {
        self.notifies_in_process && (self.notifies_across_processes || !self.shared)
    }
}

/// Which migrations to run.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// Where to go.
    pub target: MigrateTo,
    /// Only say what would be done, with its SQL.
    pub dry_run: bool,
}

impl Migrate {
    /// To the newest schema.
    #[must_use]
    pub const fn up() -> Self {
        Self { target: MigrateTo::Latest, dry_run: false }
    }

    /// Drops everything that the project made, and nothing else.
    #[must_use]
    pub const fn down() -> Self {
        Self { target: MigrateTo::Nothing, dry_run: false }
    }

    /// The same, but only says what would be done.
    #[must_use]
    pub const fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }
}

/// Where a migration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateTo {
    /// To the newest schema.
    Latest,
    /// To none.
    Nothing,
}

/// What a migration did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// The names of the migrations applied or reverted, in order: `0001_initial`.
    pub applied: Vec<String>,
    /// Their SQL, as a person could run it.
    pub sql: Vec<String>,
}
