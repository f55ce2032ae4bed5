//! Handlers from a command line.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::*;
use crate::{CliReport, LogLevel, LogLine, TaskError, TaskHandler};

/// Reads its parameters by their types, and answers them.
struct Report;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Options {
    name: String,
    pages: u32,
    #[serde(default)]
    ratio: Option<f64>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    ids: Vec<u64>,
}

impl TaskHandler for Report {
    const ALIAS: &'static str = "report-build";
    const FORMER_ALIASES: &'static [&'static str] = &["old_report"];
    const TITLE: &'static str = "Report";
    const DESCRIPTION: &'static str = "Builds the report\nof a month";
    type Params = Options;
    type Output = Options;

    async fn run(&self, _: TaskContext, options: Options) -> TaskResult<Options> {
        Ok(options)
    }
}

async fn with_report() -> Store {
    let store = Store::new(Spy::default());
    store.register(Report).await.unwrap();
    store
}

async fn built(store: &Store, alias: &str, args: &[&str]) -> Result<Options> {
    let report = store.execute_cli(alias, args.iter().copied()).await?;
    Ok(serde_json::from_str(report.output().unwrap().get()).unwrap())
}

const ARGS: [&str; 2] = ["--name=x", "--pages=1"];

#[tokio::test]
async fn list_lists_the_handlers_by_alias() {
    let store = with_report().await;
    store.register_fn("a.first", count).await.unwrap();
    let report = store.execute_cli("list", [""; 0]).await.unwrap();
    let CliReport::Handlers(list) = &report else { panic!("{report:?}") };
    let aliases: Vec<_> = list.iter().map(|handler| handler.alias.as_str()).collect();
    assert_eq!(aliases, ["a.first", "report-build"], "once, also where it has former aliases");
    assert_eq!(
        report.to_string(),
        "1. a.first\n2. report-build\n   Report\n   Builds the report\n   of a month"
    );
    let nothing = Store::new(Spy::default()).execute_cli("list", [""; 0]).await.unwrap();
    assert_eq!(nothing.to_string(), "no handlers");
}

#[tokio::test]
async fn a_field_that_is_no_text_is_read_as_json_and_a_text_stays_one() {
    let store = with_report().await;
    let args = ["--name=7", "--pages", "3", "--draft", "--ratio=1.50", "--ids=[1,2]"];
    let expected =
        Options { name: "7".into(), pages: 3, ratio: Some(1.5), draft: true, ids: vec![1, 2] };
    assert_eq!(built(&store, "report-build", &args).await.unwrap(), expected);
    let null = built(&store, "report-build", &["--name=null", "--pages=1", "--ratio=null"]).await;
    assert_eq!(null.unwrap().ratio, None);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_refused_with_the_field_and_nothing_runs() {
    let store = with_report().await;
    for (args, expected) in [
        (&["--name=x", "--pages=many"][..], "pages: invalid type: string \"many\""),
        (&["--name=x", "--pages=-1"], "pages: invalid value: integer `-1`"),
        (&["--name=x"], "missing field `pages`"),
        (&[], "missing field"),
    ] {
        let refused = built(&store, "report-build", args).await;
        let text = refused.as_ref().unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
        assert_eq!(field(refused), "args");
    }
    assert_eq!(field(built(&store, "report-build", &["pages=1"]).await), "args");
}

#[tokio::test]
async fn maps_get_texts_only_and_no_arguments_fit_a_handler_that_wants_nothing() {
    let store = Store::new(Spy::default());
    let texts = |_, map: HashMap<String, String>| async move { Ok(map["a"].clone()) };
    store.register_fn("texts", texts).await.unwrap();
    let numbers = |_, map: HashMap<String, i64>| async move { Ok(map["a"] + map["b"]) };
    store.register_fn("numbers", numbers).await.unwrap();
    store.register_fn("nothing", |_, (): ()| async { Ok("done") }).await.unwrap();
    let run = |alias: &'static str, args: Vec<&'static str>| {
        let store = store.clone();
        async move { store.execute_cli(alias, args).await.map(|report| report.to_string()) }
    };
    assert_eq!(run("texts", vec!["--a=1=2"]).await.unwrap(), r#""1=2""#);
    assert_eq!(run("numbers", vec!["--a=1", "--b", "-5"]).await.unwrap(), "-4");
    assert_eq!(run("nothing", vec![]).await.unwrap(), r#""done""#);
    assert_eq!(field(run("nothing", vec!["--a"]).await), "args");
}

#[derive(Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Deserialize)]
struct Inner {
    n: u8,
}

#[tokio::test]
async fn a_type_that_does_not_say_which_field_is_wrong_gets_all_of_them_as_json() {
    let store = Store::new(Spy::default());
    store.register_fn("flat", |_, flat: Flat| async move { Ok(flat.inner.n) }).await.unwrap();
    let report = store.execute_cli("flat", ["--n=7"]).await.unwrap();
    assert_eq!(report.to_string(), "7");
}

#[tokio::test]
async fn an_alias_is_found_whatever_its_case_and_dashes() {
    let store = with_report().await;
    for alias in ["report-build", "REPORT_BUILD", "reportbuild", "re-port-bu_ild", "Old-Report"] {
        assert!(built(&store, alias, &ARGS).await.is_ok(), "{alias}");
    }
    for alias in ["report.build", "report", "", "LIST"] {
        assert_eq!(not_found(built(&store, alias, &ARGS).await), "handler", "{alias}");
    }
}

#[tokio::test]
async fn the_same_alias_goes_before_a_similar_one_and_two_similar_ones_are_refused() {
    let store = with_report().await;
    let other = |_, _: HashMap<String, String>| async { Ok("other") };
    store.register_fn("report_build", other).await.unwrap();
    let report = store.execute_cli("report_build", ARGS).await.unwrap();
    assert_eq!(report.to_string(), r#""other""#);
    assert!(built(&store, "report-build", &ARGS).await.is_ok());
    assert_eq!(field(built(&store, "ReportBuild", &ARGS).await), "alias");
}

#[tokio::test]
async fn the_context_says_that_there_is_no_queue_and_nothing_is_stored() {
    let (store, spy) = store().await;
    let about = |ctx: TaskContext, _: HashMap<String, String>| async move {
        ctx.set_output(ctx.param_list("to"))?;
        assert!(!ctx.is_queued() && !ctx.is_cancelled());
        assert_eq!((ctx.attempt(), ctx.max_attempts(), ctx.queue().as_str()), (1, 1, "default"));
        assert_eq!(ctx.param("to").as_deref(), Some("a;b"));
        ctx.progress(1, 2);
        assert!(ctx.store().tasks().get(ctx.id()).await.is_err(), "there is no task");
        Ok(())
    };
    store.register_fn("about", about).await.unwrap();
    let report = store.execute_cli("about", ["--to=a;b"]).await.unwrap();
    assert_eq!(report.to_string(), r#"["a","b"]"#);
    for call in ["enqueue", "claim", "settle", "report"] {
        assert_eq!(spy.count(call), 0, "{call}");
    }
}

/// What was written to it so far, and whether it fails.
#[derive(Clone, Default)]
struct Sink {
    written: Arc<Mutex<String>>,
    broken: bool,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.written.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn chatty(ctx: TaskContext, _: HashMap<String, String>) -> TaskResult<()> {
    ctx.log_info("one");
    ctx.log_success("two\0");
    ctx.log_error("three");
    match ctx.param("end").as_deref() {
        Some("panic") => panic!("at last"),
        Some("cancel") => Err(TaskError::cancel("no need")),
        Some("snooze") => Err(TaskError::snooze(Duration::from_secs(5))),
        Some(why) => Err(TaskError::retryable(why)),
        None => Ok(()),
    }
}

fn texts(log: &[LogLine]) -> Vec<(LogLevel, &str)> {
    log.iter().map(|line| (line.level, line.text.as_str())).collect()
}

const SAID: [(LogLevel, &str); 3] =
    [(LogLevel::Info, "one"), (LogLevel::Success, "two\u{FFFD}"), (LogLevel::Error, "three")];

#[tokio::test]
async fn lines_are_written_at_once_and_are_in_the_report() {
    let store = Store::new(Spy::default());
    store.register_fn("chatty", chatty).await.unwrap();
    let sink = Sink::default();
    let report = store.execute_cli("chatty", [""; 0]).log_to(sink.clone()).await.unwrap();
    assert_eq!((report.to_string(), report.output().is_none()), (String::new(), true));
    assert_eq!(texts(report.log()), SAID);
    let written = sink.written.lock().unwrap().clone();
    let lines: Vec<_> = written.lines().collect();
    let parts: Vec<_> = lines.iter().map(|line| line.split_at(27)).collect();
    assert_eq!(
        parts.iter().map(|(_, said)| *said).collect::<Vec<_>>(),
        ["info one", "success two\u{FFFD}", "error three"]
    );
    assert!(parts.iter().all(|(at, _)| at.starts_with("20") && at.contains('.')), "{written}");
}

#[tokio::test]
async fn a_writer_that_breaks_costs_no_run() {
    let store = Store::new(Spy::default());
    store.register_fn("chatty", chatty).await.unwrap();
    let sink = Sink { broken: true, ..Sink::default() };
    let report = store.execute_cli("chatty", [""; 0]).log_to(sink).await.unwrap();
    assert_eq!(texts(report.log()), SAID);
}

#[tokio::test]
async fn what_the_handler_says_on_failure_is_the_error_with_its_log() {
    let store = Store::new(Spy::default());
    store.register_fn("chatty", chatty).await.unwrap();
    for (end, expected) in [
        ("no luck", "no luck"),
        ("panic", "panicked: at last"),
        ("cancel", "canceled: no need"),
        ("snooze", "snoozed for 5s"),
    ] {
        let error = store.execute_cli("chatty", ["--end", end]).await.unwrap_err();
        assert_eq!(error.to_string(), format!("chatty failed: {expected}"));
        let Error::Handler { alias, message, log } = error else { panic!("{error}") };
        assert_eq!((alias.as_str(), message.as_str()), ("chatty", expected));
        assert_eq!(texts(&log), SAID);
    }
}

/// Waits for its token, or for ever.
struct Blocks(std::sync::mpsc::SyncSender<&'static str>);

impl TaskHandler for Blocks {
    const ALIAS: &'static str = "blocks";
    type Params = ();
    type Output = ();

    async fn run(&self, ctx: TaskContext, (): ()) -> TaskResult<()> {
        self.0.send("began")?;
        ctx.cancelled().await;
        self.0.send("told")?;
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_millis(50))
    }
}

#[tokio::test]
async fn the_time_out_holds_and_a_blocking_handler_is_told() {
    let store = Store::new(Spy::default());
    let (said, hears) = std::sync::mpsc::sync_channel(9);
    store.register_blocking(Blocks(said)).await.unwrap();
    let error = store.execute_cli("blocks", [""; 0]).await.unwrap_err();
    assert_eq!(error.to_string(), "blocks failed: timed out after 50ms");
    assert_eq!([hears.recv().unwrap(), hears.recv().unwrap()], ["began", "told"]);
}

#[tokio::test]
async fn a_blocking_handler_is_told_when_nobody_waits_for_it_any_more() {
    let store = Store::new(Spy::default());
    let (said, hears) = std::sync::mpsc::sync_channel(9);
    let run = move |ctx: TaskContext, (): ()| {
        said.send("began")?;
        tokio::runtime::Handle::current().block_on(ctx.cancelled());
        said.send("told")?;
        Ok(())
    };
    store.register_blocking_fn("waits", run).await.unwrap();
    let running = tokio::spawn(store.execute_cli("waits", [""; 0]).into_future());
    let hears = tokio::task::spawn_blocking(move || {
        assert_eq!(hears.recv().unwrap(), "began");
        hears
    });
    let hears = hears.await.unwrap();
    running.abort();
    let told = tokio::task::spawn_blocking(move || hears.recv_timeout(Duration::from_secs(20)));
    assert_eq!(told.await.unwrap().unwrap(), "told");
}
