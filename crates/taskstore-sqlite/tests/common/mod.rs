//! A migrated store in a folder of its own.

#![allow(dead_code, reason = "each test program uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, DefinitionId, QueueName, RunnerId, TaskId,
    backend::{Claim, Claimed, Enqueue, Expect, Migrate, NewTask},
};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};

pub(crate) struct Store {
    pub(crate) backend: SqliteBackend,
    pub(crate) definition: DefinitionId,
    pub(crate) folder: tempfile::TempDir,
}

impl Store {
    pub(crate) async fn new() -> Self {
        Self::with(|options| options).await
    }

    pub(crate) async fn with(set: impl FnOnce(SqliteOptions) -> SqliteOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = set(SqliteOptions::new(folder.path().join("tasks.db")));
        let backend = SqliteBackend::open(options).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        let definition = Definition::new(Alias::new("email.send").unwrap());
        backend.put_definition(&definition, Expect::Absent).await.unwrap();
        Self { backend, definition: definition.id, folder }
    }

    /// Another backend on the same file, as another process has.
    pub(crate) async fn other(&self) -> SqliteBackend {
        SqliteBackend::open(SqliteOptions::new(self.backend.path())).await.unwrap()
    }

    pub(crate) fn task(&self) -> NewTask {
        NewTask::new(self.definition, json("{}"))
    }

    pub(crate) async fn enqueue(&self, tasks: usize) -> Vec<TaskId> {
        let tasks: Vec<_> = (0..tasks).map(|_| self.task()).collect();
        self.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap();
        tasks.iter().map(|task| task.id).collect()
    }

    pub(crate) async fn claim(&self, at_most: u32) -> Claimed {
        self.backend.claim(&claim(at_most)).await.unwrap()
    }

    /// A connection that a person would have.
    pub(crate) fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.backend.path()).unwrap()
    }
}

pub(crate) fn claim(at_most: u32) -> Claim {
    Claim::new(RunnerId::new(), [QueueName::default()], at_most)
}

pub(crate) fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
