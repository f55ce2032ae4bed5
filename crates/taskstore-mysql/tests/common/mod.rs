//! A migrated store in a database of its own, and tests that need a server.

#![allow(dead_code, unused_macros, unused_imports, reason = "each test program uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "harness.rs"]
mod harness;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

pub(crate) use harness::{Mysql, database_of};
use libtest_mimic::{Arguments, Completion, Trial};
use mysql_async::{Conn, Row};
use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, DefinitionId, QueueName, RunnerId, TaskId,
    backend::{Claim, Claimed, Enqueue, Expect, Migrate, NewTask},
};
use taskstore_mysql::{MysqlBackend, MysqlOptions};

/// `server_tests!(a, b; by_hand: c)`: the `main` of a test program whose tests, all `async fn`, need a
/// server. Without one they are shown as ignored, and never as passed; those by hand measure.
macro_rules! server_tests {
    ($($name:ident),* $(,)? $(; by_hand: $($hand:ident),+)?) => {
        fn main() -> std::process::ExitCode {
            common::run(vec![
                $((stringify!($name), (|| common::block_on($name())) as fn(), false),)*
                $($((stringify!($hand), (|| common::block_on($hand())) as fn(), true),)+)?
            ])
        }
    };
}
pub(crate) use server_tests;

/// Runs these tests, the last of each triple saying whether it is for somebody who asks for it.
pub(crate) fn run(tests: Vec<(&'static str, fn(), bool)>) -> ExitCode {
    let is_there = Mysql::from_env().is_some();
    let trial = |(name, test, by_hand): (&'static str, fn(), bool)| {
        let why = if !is_there {
            Some("TASKSTORE_TEST_MYSQL_URL names no server")
        } else if by_hand && !std::env::args().any(|arg| arg == "--ignored") {
            Some("measures, and proves nothing")
        } else {
            None
        };
        let run = move || match why {
            Some(why) => Ok(Completion::ignored_with(why)),
            None => {
                test();
                Ok(Completion::Completed)
            }
        };
        Trial::ignorable_test(name, run).with_ignored_flag(by_hand)
    };
    let trials = tests.into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs these tests one after the other, in their order.
pub(crate) fn run_one_by_one(tests: Vec<(&'static str, fn())>) -> ExitCode {
    let trial = |(name, test): (&'static str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, tests.into_iter().map(trial).collect()).exit_code()
}

/// The `main` of a test program that cannot be run.
pub(crate) fn ignore(why: &'static str) -> ExitCode {
    taskstore_conformance::ignore(why)
}

pub(crate) fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

/// A store in a database of its own, which goes with it.
pub(crate) struct Store {
    pub(crate) backend: MysqlBackend,
    pub(crate) definition: DefinitionId,
    server: Mysql,
    name: String,
}

impl Store {
    pub(crate) async fn new() -> Self {
        Self::with(|options| options).await
    }

    pub(crate) async fn with(set: impl FnOnce(MysqlOptions) -> MysqlOptions) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store{}", MADE.fetch_add(1, Ordering::Relaxed));
        let server = Mysql::from_env().unwrap();
        server.make_database(&name).await;
        let backend = MysqlBackend::open(set(server.options(&name))).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        let definition = Definition::new(Alias::new("email.send").unwrap());
        backend.put_definition(&definition, Expect::Absent).await.unwrap();
        Self { backend, definition: definition.id, server, name }
    }

    /// A store on a server of the test's own.
    pub(crate) async fn at(url: &str, name: &str) -> Self {
        let server = Mysql::at(url);
        server.make_database(name).await;
        let backend = MysqlBackend::open(server.options(name)).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        let definition = Definition::new(Alias::new("email.send").unwrap());
        backend.put_definition(&definition, Expect::Absent).await.unwrap();
        Self { backend, definition: definition.id, server, name: name.to_owned() }
    }

    /// How another is opened on the same database.
    pub(crate) fn options(&self) -> MysqlOptions {
        self.server.options(&self.name)
    }

    /// Another backend on the same database, as another process has.
    pub(crate) async fn other(&self) -> MysqlBackend {
        MysqlBackend::open(self.server.options(&self.name)).await.unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The port of the server, and the name of the database.
    pub(crate) fn place(&self) -> (u16, String) {
        self.server.place(&self.name)
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
    pub(crate) async fn person(&self) -> Conn {
        self.server.person(&self.name).await
    }

    /// What a statement of a person's answers.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<Row> {
        self.server.sql(&self.name, sql).await
    }
}

pub(crate) fn claim(at_most: u32) -> Claim {
    Claim::new(RunnerId::new(), [QueueName::default()], at_most)
}

pub(crate) fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
