//! The statements: one file each under `sql/`, gathered here and given the store's prefix once.
//!
//! Never built from a caller's text: a prefix is checked when it is set, and is put before the names
//! in [`NAMES`] and no others.

use taskstore_sql::Names;

/// Everything that migrations make, so that a prefix can be put before it and it can be dropped.
const NAMES: Names = Names {
    tables: &[
        "task_migration",
        "task_definition",
        "task_definition_alias",
        "task_queue",
        "task_queue_cancel",
        "task_queue_completed",
        "task_queue_completed_deleted",
        "task_queue_deleted",
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
        "task_queue_state",
        "task_enqueue",
        "task_enqueue_insert",
    ],
    view: "task",
};

/// A test's way to plant a bug: the text to run instead of a file's, if any.
pub(crate) type Patch = fn(name: &str, text: &str) -> Option<String>;

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
    DataVersion = "data_version",
    ReadyInsert = "ready_insert",
    LaterInsert = "later_insert",
    ReadyDelete = "ready_delete",
    LaterDelete = "later_delete",
    PlaceOf = "place_of",
    TaskSeq = "task_seq",
    UniqueHolder = "unique_holder",
    UniqueInsert = "unique_insert",
    UniqueDelete = "unique_delete",
    LockFirst = "lock_first",
    EnqueuePlain = "enqueue_plain",
    EnqueueRecord = "enqueue_record",
    PayloadInsert = "payload_insert",
    PayloadUpdate = "payload_update",
    PayloadLasts = "payload_lasts",
    DefinitionsKnown = "definitions_known",
    QueuePaused = "queue_paused",
    ClaimReady = "claim_ready",
    ClaimReadyExcept = "claim_ready_except",
    ClaimDelete = "claim_delete",
    LeaseFind = "lease_find",
    LeaseInsert = "lease_insert",
    LeaseTasksInsert = "lease_tasks_insert",
    LeaseTasks = "lease_tasks",
    LeasePairs = "lease_pairs",
    LeaseCountDown = "lease_count_down",
    LeaseDelete = "lease_delete",
    LeaseTasksDelete = "lease_tasks_delete",
    NextDue = "next_due",
    SettlePlain = "settle_plain",
    SettleRead = "settle_read",
    Settle = "settle",
    ResultInsert = "result_insert",
    AsideInsert = "aside_insert",
    AsideDelete = "aside_delete",
    LogInsert = "log_insert",
    LogTrim = "log_trim",
    ProgressUpdate = "progress_update",
    Beat = "beat",
    CancelRequests = "cancel_requests",
    LateLeases = "late_leases",
    LeaseAtBeat = "lease_at_beat",
    Isolate = "isolate",
    SweepReady = "sweep_ready",
    SweepLater = "sweep_later",
    SweepRecords = "sweep_records",
    SweepLast = "sweep_last",
    SweepTask = "sweep_task",
    LeaseListsPrune = "lease_lists_prune",
    PromoteInsert = "promote_insert",
    PromoteDelete = "promote_delete",
    ControlRead = "control_read",
    ControlStatus = "control_status",
    ControlRequest = "control_request",
    ControlHide = "control_hide",
    ControlRequeue = "control_requeue",
    ControlReschedule = "control_reschedule",
    PurgeRecord = "purge_record",
    PurgePayload = "purge_payload",
    PurgeResults = "purge_results",
    PurgeLog = "purge_log",
    QueuePut = "queue_put",
    QueueHasWork = "queue_has_work",
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
    TaskHolder = "task_holder",
    Holders = "holders",
    Attempts = "attempts",
    AttemptsRecord = "attempts_record",
    Log = "log",
    DefinitionById = "definition_by_id",
    DefinitionByAlias = "definition_by_alias",
    Definitions = "definitions",
    DefinitionInsert = "definition_insert",
    DefinitionUpdate = "definition_update",
    DefinitionInUse = "definition_in_use",
    DefinitionDelete = "definition_delete",
}

/// The statements as one store runs them.
#[derive(Debug)]
pub(crate) struct Texts {
    prefix: String,
    patch: Option<Patch>,
    statements: Vec<String>,
}

impl Texts {
    /// With this prefix before every name.
    pub(crate) fn new(prefix: &str, patch: Option<Patch>) -> Self {
        let mut texts = Self { prefix: prefix.to_owned(), patch, statements: Vec::new() };
        texts.statements =
            Sql::ALL.iter().map(|(_, name, text)| texts.prepare(name, text)).collect();
        texts
    }

    /// The text of one statement.
    pub(crate) fn get(&self, sql: Sql) -> &str {
        self.statements.get(sql as usize).map_or("", String::as_str)
    }

    /// Any other file of this crate, such as a migration, as this store runs it.
    pub(crate) fn prepare(&self, name: &str, text: &str) -> String {
        let patched = self.patch.and_then(|patch| patch(name, text));
        NAMES.with_prefix(patched.as_deref().unwrap_or(text), &self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
