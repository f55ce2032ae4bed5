//! A store in a schema of its own.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, QueueName, RunnerId, TaskId,
    backend::{Claim, Claimed, Enqueue, Expect, Migrate, NewTask},
};
use taskstore_postgres::{PostgresBackend, PostgresOptions};

use crate::harness::Postgres;

/// A store with one definition.
pub(crate) struct Store {
    pub(crate) harness: Postgres,
    pub(crate) name: String,
    pub(crate) backend: PostgresBackend,
    pub(crate) definition: Definition,
}

/// Runs a test that needs one.
pub(crate) fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Store) -> F) {
    with_store_of(Postgres::from_env().unwrap(), test);
}

/// Runs a test that needs one of this harness.
pub(crate) fn with_store_of<F: Future<Output = ()>>(
    harness: Postgres,
    test: impl FnOnce(Store) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { test(Store::new(harness).await).await });
}

impl Store {
    async fn new(harness: Postgres) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("server{}", NEXT.fetch_add(1, Ordering::Relaxed));
        harness.make_schema(&name).await;
        let backend = PostgresBackend::open(harness.options(&name)).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        let definition = Definition::new(Alias::new("email.send").unwrap());
        backend.put_definition(&definition, Expect::Absent).await.unwrap();
        Self { harness, name, backend, definition }
    }

    /// Another process on the same tables.
    pub(crate) async fn other(&self) -> PostgresBackend {
        PostgresBackend::open(self.options()).await.unwrap()
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        self.harness.options(&self.name)
    }

    /// The same store, reached in another way.
    pub(crate) fn options_of(&self, url: &str) -> PostgresOptions {
        self.harness.options_of(url, &self.name)
    }

    /// Runs a statement; answers the values of its rows.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        let mut rows = self.harness.sql(&self.name, sql).await.unwrap();
        // What is said of the schema that is set before, and how many rows there were.
        rows.remove(0);
        rows.pop();
        rows
    }

    pub(crate) fn task(&self) -> NewTask {
        NewTask::new(self.definition.id, json("{}"))
    }

    pub(crate) async fn enqueue(&self, tasks: usize) -> Vec<TaskId> {
        let tasks: Vec<NewTask> = (0..tasks).map(|_| self.task()).collect();
        self.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap();
        tasks.iter().map(|task| task.id).collect()
    }

    pub(crate) async fn claim(&self, tasks: u32) -> Claimed {
        self.backend.claim(&self.claim_of(tasks)).await.unwrap()
    }

    pub(crate) fn claim_of(&self, tasks: u32) -> Claim {
        Claim::new(RunnerId::new(), [QueueName::default()], tasks)
    }
}

pub(crate) fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
