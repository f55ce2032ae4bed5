//! A typed handler, seen as a runner sees it.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::*;
use crate::{
    Backoff, DefinitionId, Error, LeaseId, MemoryBackend, Progress, Result, Store, TaskId,
    backend::{Lease, LeasedTask},
    clock,
    lifecycle::{Ending, Retry},
    limits::OUTPUT_BYTES_MAX,
};

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

fn leased(parameters: &str) -> LeasedTask {
    LeasedTask {
        lease: Lease { task: TaskId::new(), batch: LeaseId::new(), turn: 0 },
        definition: DefinitionId::new(),
        queue: "mail".parse().unwrap(),
        parameters: json(parameters),
        priority: 0,
        run_at: clock::now(),
        attempts: 2,
        max_attempts: None,
        suspect: false,
        keyed: false,
        start_by: None,
        timeout: None,
    }
}

fn store() -> Store {
    Store::new(MemoryBackend::new())
}

/// Runs a handler once on these parameters: what it came to, and its context.
async fn run(
    candidate: Result<Candidate>,
    parameters: &str,
) -> (TaskResult<Option<String>>, TaskContext) {
    let handler = candidate.unwrap().registered(DefinitionId::new());
    let mut task = leased(parameters);
    let ctx = TaskContext::new(&mut task, &handler, store(), Instant::now(), None);
    let ran = handler.run(ctx.clone()).await;
    (ran.map(|output| output.map(|json| json.get().to_owned())), ctx)
}

fn permanent(ran: TaskResult<Option<String>>) -> String {
    match ran.unwrap_err().into_ending() {
        Ending::Failed { retry: Retry::Never, error } => error,
        other => panic!("not a permanent failure: {other:?}"),
    }
}

#[derive(Serialize, Deserialize)]
struct Email {
    to: Vec<String>,
}

#[derive(Default)]
struct SendEmail {
    seen: Arc<Mutex<Vec<String>>>,
}

impl TaskHandler for SendEmail {
    const ALIAS: &'static str = "email.send";
    const FORMER_ALIASES: &'static [&'static str] = &["mail"];
    const TITLE: &'static str = "Send an e-mail";
    type Params = Email;
    type Output = usize;

    async fn run(&self, ctx: TaskContext, email: Email) -> TaskResult<usize> {
        let attempt: u32 = ctx.attempt().to_string().parse()?;
        ctx.log_info(format!("attempt {attempt}"));
        self.seen.lock().unwrap().extend(email.to.iter().cloned());
        Ok(email.to.len())
    }

    fn max_attempts(&self) -> u32 {
        7
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(9))
    }

    fn backoff(&self) -> Backoff {
        Backoff::fixed(Duration::from_secs(1))
    }
}

#[tokio::test]
async fn a_handler_gets_typed_parameters_and_its_output_is_json() {
    let handler = SendEmail::default();
    let seen = Arc::clone(&handler.seen);
    let (ran, ctx) = run(Candidate::handler(handler), r#"{"to":["a","b"]}"#).await;
    assert_eq!(ran.unwrap().as_deref(), Some("2"));
    assert_eq!(*seen.lock().unwrap(), ["a", "b"]);
    let (_, lines) = ctx.unreported();
    assert_eq!(lines[0].text, "attempt 3");
}

#[tokio::test]
async fn the_context_tells_about_this_run() {
    let handler = Candidate::handler(SendEmail::default()).unwrap().registered(DefinitionId::new());
    let mut task = leased(r#"{"to":["a","b"],"from":"x;y"}"#);
    let ctx = TaskContext::new(&mut task, &handler, store(), Instant::now(), None);
    assert_eq!(ctx.id(), task.lease.task);
    assert_eq!(ctx.queue().as_str(), "mail");
    assert_eq!((ctx.attempt(), ctx.max_attempts()), (3, 7));
    assert_eq!(ctx.param("from").as_deref(), Some("x;y"));
    assert_eq!(ctx.param_list("from"), ["x", "y"]);
    assert_eq!(ctx.param_list("to"), ["a", "b"]);
    assert!(ctx.is_queued());

    let mut own_number = LeasedTask { max_attempts: Some(2), ..leased("null") };
    assert_eq!(
        TaskContext::new(&mut own_number, &handler, store(), Instant::now(), None).max_attempts(),
        2
    );

    ctx.progress(1, 2);
    assert_eq!(ctx.unreported().0, Some(Progress { done: 1, total: 2 }));
}

#[tokio::test]
async fn a_handler_that_waits_hears_that_it_is_to_end() {
    let handler = Candidate::handler(SendEmail::default()).unwrap().registered(DefinitionId::new());
    let ctx = TaskContext::new(&mut leased("null"), &handler, store(), Instant::now(), None);
    assert!(!ctx.is_cancelled());
    let waiting = tokio::spawn({
        let ctx = ctx.clone();
        async move { ctx.cancelled().await }
    });
    ctx.token().cancel();
    waiting.await.unwrap();
    assert!(ctx.is_cancelled());
}

#[tokio::test]
async fn what_a_handler_says_of_itself_is_kept() {
    let candidate = Candidate::handler(SendEmail::default()).unwrap();
    assert_eq!(candidate.wanted.title, "Send an e-mail");
    assert_eq!(candidate.former_aliases.len(), 1);
    let handler = candidate.registered(DefinitionId::new());
    assert_eq!(handler.max_attempts, 7);
    assert_eq!(handler.timeout, Some(Duration::from_secs(9)));
    assert_eq!(handler.backoff.delay(5, 0.0), Duration::from_secs(1));
    assert!(!handler.blocking);
}

#[tokio::test]
async fn parameters_that_do_not_fit_fail_for_good_and_say_where() {
    for (parameters, expected) in [
        (
            r#"{"to":["a",7]}"#,
            "parameters do not fit the handler: to[1]: invalid type: integer `7`, expected a \
             string at line 1 column 12",
        ),
        ("{}", "parameters do not fit the handler: missing field `to` at line 1 column 2"),
        (
            "[1]",
            "parameters do not fit the handler: [0]: invalid type: integer `1`, expected a \
             sequence at line 1 column 2",
        ),
    ] {
        let (ran, _) = run(Candidate::handler(SendEmail::default()), parameters).await;
        assert_eq!(permanent(ran), expected, "{parameters}");
        let (ran, _) = run(Candidate::blocking_handler(SendEmail::default()), parameters).await;
        assert_eq!(permanent(ran), expected, "{parameters}");
    }
}

#[tokio::test]
async fn what_was_set_as_output_counts_when_nothing_is_returned() {
    let set = |returned: Option<u8>| {
        Candidate::closure("x", move |ctx: TaskContext, (): ()| async move {
            ctx.set_output("first")?;
            ctx.set_output("second")?;
            Ok(returned)
        })
    };
    assert_eq!(run(set(None), "null").await.0.unwrap().as_deref(), Some(r#""second""#));
    assert_eq!(run(set(Some(7)), "null").await.0.unwrap().as_deref(), Some("7"));
}

#[tokio::test]
async fn an_output_that_is_too_large_fails_for_good() {
    let returned = Candidate::closure("x", |_, (): ()| async { Ok("x".repeat(OUTPUT_BYTES_MAX)) });
    let message = permanent(run(returned, "null").await.0);
    assert_eq!(message, "output is not valid: it has 1048578 bytes, at most 1048576 are allowed");

    let set = Candidate::closure("x", |ctx: TaskContext, (): ()| async move {
        ctx.set_output("x".repeat(OUTPUT_BYTES_MAX))?;
        Ok(())
    });
    assert_eq!(permanent(run(set, "null").await.0), message);
}

#[tokio::test]
async fn closures_of_every_form_are_handlers() {
    let greeting: Arc<str> = "hello".into();
    let capturing = Candidate::closure("x", move |_, name: String| {
        let greeting = Arc::clone(&greeting);
        async move { Ok(format!("{greeting} {name}")) }
    });
    assert_eq!(run(capturing, r#""you""#).await.0.unwrap().as_deref(), Some(r#""hello you""#));

    let question_mark = Candidate::closure("x", |_, text: String| async move {
        let number: u32 = text.parse()?;
        Ok(number + 1)
    });
    assert_eq!(run(question_mark, r#""41""#).await.0.unwrap().as_deref(), Some("42"));

    let an_async_closure = Candidate::closure("x", async |ctx: TaskContext, n: u32| {
        tokio::task::yield_now().await;
        ctx.log_success("done");
        Ok(n)
    });
    assert_eq!(run(an_async_closure, "1").await.0.unwrap().as_deref(), Some("1"));

    async fn double(_: TaskContext, n: u32) -> TaskResult<u32> {
        Ok(2 * n)
    }
    assert_eq!(run(Candidate::closure("x", double), "4").await.0.unwrap().as_deref(), Some("8"));
}

#[tokio::test]
async fn a_blocking_handler_has_a_thread_of_its_own() {
    let here = std::thread::current().id();
    let (sender, receiver) = std::sync::mpsc::channel::<u32>();
    let receiver = Mutex::new(receiver);
    let blocking = Candidate::blocking_closure("x", move |_, (): ()| {
        // On this runtime's only thread it would wait for ever.
        let sent = receiver.lock().unwrap().recv()?;
        Ok((sent, std::thread::current().id() != here))
    });
    assert!(blocking.as_ref().unwrap().is_blocking());
    let running = tokio::spawn(async move { run(blocking, "null").await.0 });
    tokio::task::yield_now().await;
    sender.send(7).unwrap();
    assert_eq!(running.await.unwrap().unwrap().as_deref(), Some("[7,true]"));
}

#[tokio::test]
async fn a_blocking_handler_may_still_await() {
    let (ran, ctx) =
        run(Candidate::blocking_handler(SendEmail::default()), r#"{"to":["a"]}"#).await;
    assert_eq!(ran.unwrap().as_deref(), Some("1"));
    assert_eq!(ctx.unreported().1.len(), 1);
}

#[tokio::test]
async fn a_panic_passes_through_with_its_message() {
    let awaiting = Candidate::closure("x", |_, n: u32| async move {
        assert!(n > 1, "{n} is too small");
        Ok(())
    });
    let blocking = Candidate::blocking_closure("x", |_, n: u32| {
        assert!(n > 1, "{n} is too small");
        Ok(())
    });
    for candidate in [awaiting, blocking] {
        let panic = AssertUnwindSafe(run(candidate, "1")).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "1 is too small");
    }
}

#[tokio::test]
async fn one_instance_serves_many_runs_at_once_without_mixing_them() {
    let barrier = Arc::new(tokio::sync::Barrier::new(8));
    let handler = Candidate::closure("x", move |ctx: TaskContext, n: u32| {
        let barrier = Arc::clone(&barrier);
        async move {
            ctx.log_info(n.to_string());
            ctx.set_output(n)?;
            barrier.wait().await;
            Ok(())
        }
    });
    let handler = Arc::new(handler.unwrap().registered(DefinitionId::new()));
    let runs = (0..8).map(|n: u32| {
        let mut task = leased(&n.to_string());
        let ctx = TaskContext::new(&mut task, &handler, store(), Instant::now(), None);
        let running = tokio::spawn(handler.run(ctx.clone()));
        async move {
            let output = running.await.unwrap().unwrap().unwrap();
            assert_eq!(output.get(), n.to_string());
            assert_eq!(ctx.unreported().1[0].text, n.to_string());
        }
    });
    futures_util::future::join_all(runs).await;
}

struct Odd<const CASE: u8>;

impl<const CASE: u8> TaskHandler for Odd<CASE> {
    const ALIAS: &'static str = if CASE == 0 { "two words" } else { "odd" };
    const FORMER_ALIASES: &'static [&'static str] = if CASE == 1 { &[""] } else { &[] };
    const TITLE: &'static str = if CASE == 2 { "a\0b" } else { "" };
    const DESCRIPTION: &'static str = if CASE == 3 { "a\0b" } else { "" };
    type Params = ();
    type Output = ();

    async fn run(&self, _: TaskContext, (): ()) -> TaskResult<()> {
        Ok(())
    }

    fn max_attempts(&self) -> u32 {
        if CASE == 4 { 0 } else { 1 }
    }

    fn timeout(&self) -> Option<Duration> {
        match CASE {
            5 => Some(Duration::ZERO),
            6 => Some(Duration::MAX),
            _ => None,
        }
    }
}

#[test]
fn a_handler_that_cannot_be_is_refused_by_field() {
    let fields = [
        Candidate::handler(Odd::<0>),
        Candidate::handler(Odd::<1>),
        Candidate::handler(Odd::<2>),
        Candidate::handler(Odd::<3>),
        Candidate::blocking_handler(Odd::<4>),
        Candidate::blocking_handler(Odd::<5>),
        Candidate::handler(Odd::<6>),
    ]
    .map(|candidate| match candidate.err().unwrap() {
        Error::Invalid { field, .. } => field,
        other => panic!("{other}"),
    });
    assert_eq!(
        fields,
        ["alias", "alias", "title", "description", "max_attempts", "timeout", "timeout"]
    );
}

#[test]
fn a_registry_has_one_handler_for_an_alias() {
    let candidate = |alias: &str| Candidate::closure(alias, |_, (): ()| async { Ok(()) }).unwrap();
    let alias = |alias: &str| crate::Alias::new(alias).unwrap();
    let registry = Registry::default();
    let (first, former) = (DefinitionId::new(), DefinitionId::new());

    registry
        .reserve(vec![alias("a"), alias("old")])
        .unwrap()
        .fill(candidate("a").registered(first), &[first, former]);
    assert_eq!(registry.handler(first).unwrap().alias.as_str(), "a");
    assert_eq!(registry.handler(former).unwrap().alias.as_str(), "a");
    assert!(registry.handler(DefinitionId::new()).is_none());
    let mut definitions = registry.definitions();
    definitions.sort();
    assert_eq!(definitions, [first, former]);

    for taken in ["a", "old"] {
        let refused = registry.reserve(vec![alias("new"), alias(taken)]).err().unwrap();
        assert_eq!(refused.to_string(), format!("handler {taken} exists already"));
    }
    assert!(registry.reserve(vec![alias("b"), alias("b")]).is_err(), "twice in one handler");
    let kept = registry.reserve(vec![alias("b")]).unwrap();
    assert!(registry.reserve(vec![alias("b")]).is_err(), "being registered");
    drop(kept);
    assert!(registry.reserve(vec![alias("b")]).is_ok(), "given back");
}
