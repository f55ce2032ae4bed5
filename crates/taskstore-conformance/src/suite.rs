//! Runs the cases: one trial each, on a thread and a runtime of its own, with a deadline.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Trial};
use taskstore_core::backend::Capabilities;
use tokio::runtime::{Builder, Runtime};

use crate::{Context, Harness};

/// One thing to try.
#[derive(Clone, Copy)]
pub struct Case {
    /// `noun::given_when_then`.
    pub name: &'static str,
    /// The ids of the [promises](crate::promises) that would be broken if it failed.
    pub promises: &'static [&'static str],
    /// What the engine must be able to do for the case to make sense.
    pub needs: Need,
    pub(crate) run: for<'a> fn(&'a Context) -> BoxFuture<'a, ()>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What an engine must be able to do for a case to make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// What every engine can.
    Nothing,
    /// [`Capabilities::durable`].
    Durable,
    /// [`Capabilities::shared`].
    Shared,
    /// [`Capabilities::notifies_in_process`].
    NotifiesInProcess,
    /// [`Capabilities::notifies_across_processes`].
    NotifiesAcrossProcesses,
    /// [`Capabilities::plain_sql`].
    PlainSql,
    /// [`Harness::can_damage`].
    Damage,
    /// [`Harness::has_transactions`].
    Transactions,
}

impl Need {
    /// Why a case with this need is not tried on an engine that can do no more than `able`.
    #[must_use]
    pub const fn unmet(self, able: &Capabilities) -> Option<&'static str> {
        match self {
            Self::Durable if !able.durable => Some("not durable"),
            Self::Shared if !able.shared => Some("not shared"),
            Self::NotifiesInProcess if !able.notifies_in_process => {
                Some("does not notify in process")
            }
            Self::NotifiesAcrossProcesses if !able.notifies_across_processes => {
                Some("does not notify across processes")
            }
            Self::PlainSql if !able.plain_sql => Some("has no plain SQL"),
            _ => None,
        }
    }
}

/// Every case, noun by noun.
#[must_use]
pub fn cases() -> Vec<Case> {
    crate::cases::all()
}

/// The `main` of a test with `harness = false`: runs the suite on the stores of `harness`.
///
/// ```no_run
/// # fn harness() -> std::sync::Arc<dyn taskstore_conformance::Harness> { unimplemented!() }
/// taskstore_conformance::conformance_suite!(harness());
/// ```
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($harness)
        }
    };
}

/// What [`conformance_suite!`](crate::conformance_suite) calls: reads the arguments of a test
/// binary, runs what they ask for, and says how it went.
pub fn run(harness: impl Harness) -> ExitCode {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let able = capabilities(&harness);
    let trials = cases().into_iter().map(|case| trial(&harness, case, &able)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// For an engine whose server is not there: shows every case as ignored, for this reason, and none as
/// ok. Reads the arguments of a test binary as [`run`] does.
pub fn ignore(reason: &'static str) -> ExitCode {
    let trials = cases().into_iter().map(|case| ignored(case, reason)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn ignored(case: Case, reason: &'static str) -> Trial {
    Trial::ignorable_test(case.name, move || Ok(libtest_mimic::Completion::ignored_with(reason)))
        .with_kind(reason)
        .with_ignored_flag(true)
}

fn trial(harness: &Arc<dyn Harness>, case: Case, able: &Capabilities) -> Trial {
    let harness = Arc::clone(harness);
    let unmet = match case.needs {
        Need::Damage if !harness.can_damage() => Some("its harness damages nothing"),
        Need::Transactions if !harness.has_transactions() => {
            Some("its harness begins no transactions")
        }
        needs => needs.unmet(able),
    };
    match unmet {
        Some(reason) => ignored(case, reason),
        None => Trial::test(case.name, move || {
            let deadline = harness.deadline() + crate::cases::more_time();
            try_case(harness, case, deadline).map_err(Into::into)
        }),
    }
}

/// Tries one case on a fresh store of `harness`, whatever it needs.
///
/// # Errors
/// Why it failed: the message of its panic, or that it did not end within `deadline`. A case that
/// hangs keeps its thread.
pub fn try_case(harness: Arc<dyn Harness>, case: Case, deadline: Duration) -> Result<(), String> {
    on_a_thread_of_its_own(case.name, deadline, move || {
        runtime().block_on(async {
            let context = Context::open(harness).await;
            (case.run)(&context).await;
        });
    })
}

fn capabilities(harness: &Arc<dyn Harness>) -> Capabilities {
    runtime().block_on(async { *Context::open(Arc::clone(harness)).await.capabilities() })
}

fn on_a_thread_of_its_own(
    name: &str,
    deadline: Duration,
    work: impl FnOnce() + Send + 'static,
) -> Result<(), String> {
    let (tell, hear) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let ended = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(&*panic));
        // Nobody listens after the deadline.
        let _ = tell.send(ended);
    });
    spawned.map_err(|error| format!("no thread for the case: {error}"))?;
    match hear.recv_timeout(deadline) {
        Ok(ended) => ended,
        Err(_) => Err(format!("it did not end within {deadline:?}")),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

/// Several threads, so that what a case does at the same time really runs at the same time.
fn runtime() -> Runtime {
    match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime for the case: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use taskstore_core::{Backend, MemoryBackend};

    use super::*;

    struct Memory;

    #[async_trait::async_trait]
    impl Harness for Memory {
        async fn open(&self, _store: &str) -> Arc<dyn Backend> {
            Arc::new(MemoryBackend::new())
        }
    }

    fn tried(
        run: for<'a> fn(&'a Context) -> BoxFuture<'a, ()>,
        deadline: Duration,
    ) -> Result<(), String> {
        let case = Case { name: "noun::case", promises: &[], needs: Need::Nothing, run };
        try_case(Arc::new(Memory), case, deadline)
    }

    #[test]
    fn a_case_that_panics_fails_with_its_message() {
        let long = Duration::from_secs(60);
        let failed = tried(|_| Box::pin(async { panic!("one is not {}", 2) }), long);
        assert_eq!(failed, Err("one is not 2".to_owned()));
        assert_eq!(tried(|_| Box::pin(async {}), long), Ok(()));
    }

    #[test]
    fn a_case_that_hangs_fails_whether_it_waits_or_blocks() {
        let short = Duration::from_millis(50);
        let expected = Err("it did not end within 50ms".to_owned());
        assert_eq!(tried(|_| Box::pin(std::future::pending()), short), expected);
        let blocks =
            tried(|_| Box::pin(async { thread::park_timeout(Duration::from_secs(5)) }), short);
        assert_eq!(blocks, expected);
    }

    #[test]
    fn what_an_engine_cannot_do_has_a_reason_and_what_it_can_do_has_none() {
        let mut able = Capabilities::default();
        assert_eq!(Need::Nothing.unmet(&able), None);
        assert_eq!(Need::Shared.unmet(&able), Some("not shared"));
        able.shared = true;
        assert_eq!(Need::Shared.unmet(&able), None);
        assert_eq!(Need::Durable.unmet(&able), Some("not durable"));
    }
}
