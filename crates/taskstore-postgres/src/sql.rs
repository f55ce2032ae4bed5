//! The statements: one file each under `sql/`, gathered here and given the store's prefix once.
//!
//! Never built from a caller's text: a prefix is checked when it is set, and is put before the names
//! in [`NAMES`] and no others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use taskstore_sql::Names;
use tokio_postgres::types::Type;

/// Everything that migrations make, so that a prefix can be put before it and it can be dropped.
const NAMES: Names = Names {
    tables: &[
        "task_migration",
        "task_definition",
        "task_definition_alias",
        "task_definition_off",
        "task_queue",
        "task_queue_seq",
        "task_queue_cancel",
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
        "task_ended",
        "task_queue_state",
        "task_ulid",
        "task_uuid",
        "task_enqueue",
        "task_enqueue_time",
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
    Beat = "beat",
    CancelRequests = "cancel_requests",
    Channel = "channel",
    Notify = "notify",
    SessionPid = "session_pid",
    Home = "home",
    WithinBegin = "within_begin",
    Now = "now",
    NextDue = "next_due",
    TaskById = "task_by_id",
    TaskBySeq = "task_by_seq",
    TaskIdBySeq = "task_id_by_seq",
    Holders = "holders",
    WaitingCount = "waiting_count",
    Attempts = "attempts",
    Log = "log",
    QueuesReady = "queues_ready",
    QueuesLater = "queues_later",
    QueuesSettings = "queues_settings",
    QueuesRunning = "queues_running",
    QueuesPaused = "queues_paused",
    QueueCounts = "queue_counts",
    QueueHead = "queue_head",
    DefinitionById = "definition_by_id",
    DefinitionByAlias = "definition_by_alias",
    Definitions = "definitions",
    Enqueue = "enqueue",
    EnqueueExisting = "enqueue_existing",
    EnqueuePlain = "enqueue_plain",
    UniqueHeal = "unique_heal",
    ClaimReady = "claim_ready",
    LeaseTasks = "lease_tasks",
    Settle = "settle",
    SettledBefore = "settled_before",
    LogInsert = "log_insert",
    LogTrim = "log_trim",
    ProgressUpdate = "progress_update",
    Isolate = "isolate",
    IsolatedBefore = "isolated_before",
    LateLeases = "late_leases",
    LeaseAtBeat = "lease_at_beat",
    LeaseFind = "lease_find",
    LeaseInsert = "lease_insert",
    LeaseDelete = "lease_delete",
    PromoteInsert = "promote_insert",
    QueuePut = "queue_put",
    ControlRead = "control_read",
    ControlLater = "control_later",
    ControlReady = "control_ready",
    ControlStatus = "control_status",
    ControlRequest = "control_request",
    ControlHide = "control_hide",
    ControlRequeue = "control_requeue",
    ControlReschedule = "control_reschedule",
    ReadyInsert = "ready_insert",
    LaterInsert = "later_insert",
    ReadyDelete = "ready_delete",
    LaterDelete = "later_delete",
    AsideInsert = "aside_insert",
    AsideDelete = "aside_delete",
    EndedInsert = "ended_insert",
    EndedDelete = "ended_delete",
    UniqueInsert = "unique_insert",
    UniqueDelete = "unique_delete",
    UniqueHolder = "unique_holder",
    PayloadLasts = "payload_lasts",
    PayloadUpdate = "payload_update",
    ResultInsert = "result_insert",
    PurgeLog = "purge_log",
    PurgeResults = "purge_results",
    PurgePayload = "purge_payload",
    PurgeRecord = "purge_record",
    DefinitionInsert = "definition_insert",
    DefinitionUpdate = "definition_update",
    DefinitionPatience = "definition_patience",
    DefinitionLock = "definition_lock",
    DefinitionInUse = "definition_in_use",
    DefinitionDelete = "definition_delete",
    DefinitionsKnown = "definitions_known",
    SweepReady = "sweep_ready",
    SweepLater = "sweep_later",
    SweepRecords = "sweep_records",
    SweepLast = "sweep_last",
    SweepLock = "sweep_lock",
    SweepTask = "sweep_task",
    SweepAdopt = "sweep_adopt",
    LeaseListsPrune = "lease_lists_prune",
}

/// The statements as one store runs them.
#[derive(Debug)]
pub(crate) struct Texts {
    prefix: String,
    patch: Option<Patch>,
    statements: Vec<String>,
    /// Of the values of texts that are not kept prepared.
    types: Mutex<HashMap<String, Arc<[Type]>>>,
}

impl Texts {
    /// With this prefix before every name.
    pub(crate) fn new(prefix: &str, patch: Option<Patch>) -> Self {
        let mut texts = Self {
            prefix: prefix.to_owned(),
            patch,
            statements: Vec::new(),
            types: Mutex::default(),
        };
        texts.statements =
            Sql::ALL.iter().map(|(_, name, text)| texts.prepare(name, text)).collect();
        texts
    }

    /// The same, with this schema before every name, as SQL wants it written.
    pub(crate) fn in_schema(&self, schema: &str) -> Self {
        Self::new(&format!("{schema}.{}", self.prefix), self.patch)
    }

    /// The text of one statement.
    pub(crate) fn get(&self, sql: Sql) -> &str {
        self.statements.get(sql as usize).map_or("", String::as_str)
    }

    /// The types of a text's values, if the server has said them.
    pub(crate) fn types(&self, text: &str) -> Option<Arc<[Type]>> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    /// What the server says that they are; those of the built-in types are the same for ever.
    pub(crate) fn learn(&self, text: &str, types: Arc<[Type]>) -> Arc<[Type]> {
        let mut known = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(text.to_owned(), types.clone());
        types
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
    fn a_schema_goes_before_them_too() {
        let texts = Texts::new("app_", None).in_schema("\"My jobs\"");
        let enqueue = texts.get(Sql::Enqueue);
        for name in [
            "INSERT INTO \"My jobs\".app_task_queue(",
            "nextval($name$\"My jobs\".app_task_queue_seq$name$)",
        ] {
            assert!(enqueue.contains(name), "{enqueue}");
        }
        assert!(texts.get(Sql::UniqueHeal).contains("t.seq=\"My jobs\".app_task_unique.task"));
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
