//! The statements: one file each under `sql/`, gathered here and given the store's prefix once.
//!
//! Never built from a caller's text: a prefix is checked when it is set, and is put before the names
//! in [`NAMES`] and no others. A statement that stores one row is also there for several at once.

use taskstore_sql::Names;

/// Everything that migrations make, so that a prefix can be put before it and it can be dropped.
const NAMES: Names = Names {
    tables: &[
        "task_migration",
        "task_definition",
        "task_definition_id",
        "task_definition_alias",
        "task_queue",
        "task_queue_id",
        "task_payload",
        "task_ready",
        "task_later",
        "task_later_queue",
        "task_lease",
        "task_lease_tasks",
        "task_result",
        "task_log",
        "task_unique",
        "task_aside",
        "task_ended",
        "task_deleted",
        "task_cancel",
        "task_queue_state",
        "task_enqueue",
        "task_enqueue_insert",
    ],
    view: "task",
};

/// How many rows a statement stores at once, the most first: few sizes, so that few are prepared.
pub(crate) const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// A test's way to plant a bug: the text to run instead of a file's, if any.
pub(crate) type Patch = fn(name: &str, text: &str) -> Option<String>;

/// A test's way to see how the server goes about each statement: its text, and the steps.
pub(crate) type Plans = fn(text: &str, steps: &[PlanStep]);

/// One table of a plan, as `EXPLAIN` shows it.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    /// Its name in the statement.
    pub table: String,
    /// How it is read: `ALL` is a scan.
    pub access: String,
    /// Which key leads there.
    pub key: String,
    /// What else: `Using filesort`.
    pub extra: String,
}

macro_rules! statements {
    ($($name:ident = $file:literal,)*) => {
        /// The name of a statement: that of its file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Sql {
            $($name,)*
        }

        impl Sql {
            /// All of them, with the name and the text of the file.
            pub(crate) const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$name, $file, include_str!(concat!("../sql/", $file, ".sql"))),)*];
        }
    };
}

statements! {
    Now = "now",
    Server = "server",
    Identity = "identity",
    Lend = "lend",
    BeatLock = "beat_lock",
    Beat = "beat",
    BeatFind = "beat_find",
    CancelRequests = "cancel_requests",
    SweepReady = "sweep_ready",
    SweepLater = "sweep_later",
    SweepRecords = "sweep_records",
    SweepLast = "sweep_last",
    Holders = "holders",
    LeaseFind = "lease_find",
    QueuePaused = "queue_paused",
    NextDue = "next_due",
    QueuesStopped = "queues_stopped",
    QueuesReady = "queues_ready",
    QueuesLater = "queues_later",
    QueuesSettings = "queues_settings",
    QueuesRunning = "queues_running",
    QueuesPaused = "queues_paused",
    QueueCounts = "queue_counts",
    QueueHead = "queue_head",
    TaskById = "task_by_id",
    TaskBySeq = "task_by_seq",
    TaskIdBySeq = "task_id_by_seq",
    WaitingCount = "waiting_count",
    DeletedCount = "deleted_count",
    Attempts = "attempts",
    AttemptsRecord = "attempts_record",
    Log = "log",
    DefinitionById = "definition_by_id",
    DefinitionByAlias = "definition_by_alias",
    Definitions = "definitions",
    DefinitionLock = "definition_lock",
    DefinitionInsert = "definition_insert",
    DefinitionUpdate = "definition_update",
    DefinitionInUse = "definition_in_use",
    DefinitionDelete = "definition_delete",
    DefinitionsForEnqueue = "definitions_for_enqueue",
    DefinitionsKnown = "definitions_known",
    TaskSeqs = "task_seqs",
    EnqueueRecord = "enqueue_record",
    PayloadInsert = "payload_insert",
    ReadyInsert = "ready_insert",
    LaterInsert = "later_insert",
    UniqueInsert = "unique_insert",
    UniqueLock = "unique_lock",
    UniqueHolders = "unique_holders",
    UniqueHeld = "unique_held",
    UniqueDelete = "unique_delete",
    ClaimReady = "claim_ready",
    ClaimReadyExcept = "claim_ready_except",
    ClaimTasks = "claim_tasks",
    ClaimDelete = "claim_delete",
    ReadyDelete = "ready_delete",
    LaterDelete = "later_delete",
    LaterLock = "later_lock",
    ReadyLock = "ready_lock",
    LeaseLock = "lease_lock",
    LeaseLockFree = "lease_lock_free",
    LeaseLockList = "lease_lock_list",
    LeasePairs = "lease_pairs",
    LeaseTasks = "lease_tasks",
    LeaseInsert = "lease_insert",
    LeaseTasksInsert = "lease_tasks_insert",
    LeaseCountDown = "lease_count_down",
    LeaseDelete = "lease_delete",
    LeaseTasksDelete = "lease_tasks_delete",
    LateLeases = "late_leases",
    LateLeasesFree = "late_leases_free",
    SettleRead = "settle_read",
    RecordLock = "record_lock",
    Settle = "settle",
    ResultInsert = "result_insert",
    AsideInsert = "aside_insert",
    AsideDelete = "aside_delete",
    EndedInsert = "ended_insert",
    EndedDelete = "ended_delete",
    DeletedInsert = "deleted_insert",
    DeletedDelete = "deleted_delete",
    CancelInsert = "cancel_insert",
    CancelDelete = "cancel_delete",
    LogInsert = "log_insert",
    LogTrim = "log_trim",
    ProgressUpdate = "progress_update",
    Isolate = "isolate",
    PromoteRead = "promote_read",
    PromoteDelete = "promote_delete",
    SweepTask = "sweep_task",
    SweepLists = "sweep_lists",
    ControlRead = "control_read",
    ControlWrite = "control_write",
    DefinitionForRequeue = "definition_for_requeue",
    PayloadUpdate = "payload_update",
    PayloadLasts = "payload_lasts",
    PurgeRecord = "purge_record",
    PurgePayload = "purge_payload",
    PurgeResults = "purge_results",
    PurgeLog = "purge_log",
    QueuePut = "queue_put",
    EnqueuePlain = "enqueue_plain",
    EnqueuedLock = "enqueued_lock",
    EnqueuedDelete = "enqueued_delete",
}

/// The statements as one store runs them.
#[derive(Debug)]
pub(crate) struct Texts {
    prefix: String,
    patch: Option<Patch>,
    plans: Option<Plans>,
    statements: Vec<[String; SIZES.len()]>,
}

impl Texts {
    /// With this prefix before every name.
    pub(crate) fn new(prefix: &str, patch: Option<Patch>) -> Self {
        let mut texts =
            Self { prefix: prefix.to_owned(), patch, plans: None, statements: Vec::new() };
        texts.statements =
            Sql::ALL.iter().map(|(_, name, text)| sizes_of(&texts.prepare(name, text))).collect();
        texts
    }

    /// What goes before every name.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The names of everything that migrations make, as this store has them.
    pub(crate) fn made(&self) -> impl Iterator<Item = String> + '_ {
        NAMES.tables.iter().chain([&NAMES.view]).map(|name| format!("{}{name}", self.prefix))
    }

    /// Whose plans are watched.
    pub(crate) fn watched(mut self, plans: Option<Plans>) -> Self {
        self.plans = plans;
        self
    }

    /// Who watches the plans.
    pub(crate) const fn plans(&self) -> Option<Plans> {
        self.plans
    }

    /// The text of one statement.
    pub(crate) fn get(&self, sql: Sql) -> &str {
        self.sized(sql, SIZES.len() - 1)
    }

    /// The text that stores as many rows as [`SIZES`] has there.
    pub(crate) fn sized(&self, sql: Sql, size: usize) -> &str {
        self.statements
            .get(sql as usize)
            .and_then(|sizes| sizes.get(size))
            .map_or("", String::as_str)
    }

    /// Any other file of this crate, such as a migration, as this store runs it.
    pub(crate) fn prepare(&self, name: &str, text: &str) -> String {
        let patched = self.patch.and_then(|patch| patch(name, text));
        NAMES.with_prefix(patched.as_deref().unwrap_or(text), &self.prefix)
    }
}

/// The statement for each number of rows; the same where it has no `VALUES(?,..)` to repeat.
fn sizes_of(text: &str) -> [String; SIZES.len()] {
    const VALUES: &str = "VALUES(?";
    let Some(start) = text.find(VALUES).map(|at| at + VALUES.len() - 2) else {
        return SIZES.map(|_| text.to_owned());
    };
    let (head, rest) = text.split_at(start);
    let Some(end) = rest.find(')') else { return SIZES.map(|_| text.to_owned()) };
    let (row, tail) = rest.split_at(end + 1);
    SIZES.map(|size| format!("{head}{}{tail}", vec![row; size].join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_repeated_and_nothing_else() {
        let [.., four, one] =
            sizes_of("-- x\nINSERT INTO t(a,b) VALUES(?,?) ON DUPLICATE KEY UPDATE a=t.a;");
        assert_eq!(one, "-- x\nINSERT INTO t(a,b) VALUES(?,?) ON DUPLICATE KEY UPDATE a=t.a;");
        assert_eq!(
            four,
            "-- x\nINSERT INTO t(a,b) VALUES(?,?),(?,?),(?,?),(?,?) ON DUPLICATE KEY UPDATE a=t.a;"
        );
    }

    #[test]
    fn every_file_says_why_it_is_as_it_is() {
        for (_, name, text) in Sql::ALL {
            assert!(text.starts_with("-- "), "{name}");
            assert!(text.trim_end().ends_with(';'), "{name}");
        }
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sql")).unwrap().count();
        assert_eq!(files, Sql::ALL.len(), "a file under sql/ is not in the table");
    }
}
