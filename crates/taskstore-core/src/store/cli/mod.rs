//! Running a handler from a command line: no queue, no task, no runner.
//!
//! Reads arguments, finds the handler, and runs it here. It prints nothing by itself, and asks the
//! database nothing.

mod args;
mod find;
mod fit;
mod report;

use std::{
    fmt,
    future::{Future, IntoFuture},
    io::Write,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

pub use report::{CliReport, HandlerInfo};

use super::Store;
use crate::{
    Error, LogLine, Result, TaskErrorKind,
    handler::{Echo, TaskContext},
    runner::run_handler,
};

/// Lists the handlers instead of running one.
const LIST: &str = "list";

impl Store {
    /// Runs the handler of `alias` with the arguments of a command line, in this process and without
    /// a queue, when the builder is awaited. The alias `list` lists the handlers instead.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use std::collections::HashMap;
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// store.register_fn("report.build", |ctx, options: HashMap<String, String>| async move {
    ///     ctx.log_info(format!("for {}", options["month"]));
    ///     Ok(options.len())
    /// }).await?;
    ///
    /// // As from `myprogram report.build --month 2026-01 --format=pdf --draft`.
    /// let report = store
    ///     .execute_cli("Report.Build", ["--month", "2026-01", "--format=pdf", "--draft"])
    ///     .log_to(std::io::stderr())
    ///     .await?;
    /// assert_eq!(report.to_string(), "3");
    /// assert_eq!(report.log()[0].text, "for 2026-01");
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// See [`ExecuteCli`] for what it takes and answers, and its errors.
    pub fn execute_cli(
        &self,
        alias: impl Into<String>,
        args: impl IntoIterator<Item = impl Into<String>>,
    ) -> ExecuteCli {
        let args = args.into_iter().map(Into::into).collect();
        ExecuteCli { store: self.clone(), alias: alias.into(), args, echo: None }
    }
}

/// A handler to run from a command line; run when it is awaited, and not before.
///
/// - **Alias**: that of the handler, or a former one. If none is the same, case, `-` and `_` make no
///   difference.
/// - **Arguments**: `--key=value` (the value may have further `=`), `--key value`, or `--flag`,
///   which is `true`. A value that begins with `--` needs the form with `=`.
/// - **Parameters**: an object of texts. Where the handler's type wants something else for a field,
///   its text is read as JSON: `--count 3` fits a number, `--dry-run` a bool, `--ids=[1,2]` a list.
///   Keys are as typed. Without arguments also `()` fits.
/// - **The run**: [`is_queued`](TaskContext::is_queued) is false, the queue is `default`, and the id
///   names no task. It is the first attempt and the only one. The handler's time-out holds, and a
///   panic is a failure. Dropping the future ends it, as a runner does.
///
/// Nothing is stored, and the definition is not asked: a handler whose definition is canceled runs.
///
/// # Errors
/// [`NotFound`](Error::NotFound): there is no such `handler`.
/// [`Invalid`](Error::Invalid): `alias` fits more than one handler, or `args` cannot be read or do
/// not fit the handler's type; then it did not run. [`Handler`](Error::Handler): it ran, and failed.
#[must_use = "nothing runs until it is awaited"]
pub struct ExecuteCli {
    store: Store,
    alias: String,
    args: Vec<String>,
    echo: Option<Echo>,
}

impl ExecuteCli {
    /// Writes each line of the log here at once, as `2026-01-31 12:00:00.000000 info text`. Without
    /// it, the lines are in the report or the error only. When it cannot be written to, the rest is
    /// left out, and the handler goes on.
    pub fn log_to(mut self, writer: impl Write + Send + 'static) -> Self {
        let writer = Mutex::new(Some(writer));
        self.echo = Some(Arc::new(move |line: &LogLine| {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let written = writer
                .as_mut()
                .map(|writer| writeln!(writer, "{line}").and_then(|()| writer.flush()));
            if let Some(Err(error)) = written {
                tracing::warn!(%error, "the log of the handler cannot be written");
                *writer = None;
            }
        }));
        self
    }

    async fn execute(self) -> Result<CliReport> {
        let args = args::parse(&self.args)?;
        let handlers = self.store.registry().handlers();
        if self.alias == LIST {
            let list = handlers.iter().map(|handler| HandlerInfo::of(handler)).collect();
            return Ok(CliReport::Handlers(list));
        }
        let handler = find::find(&handlers, &self.alias)?;
        let parameters = fit::fit(&args, |json| handler.fits(json))?;
        let alias = handler.alias.clone();
        let context = TaskContext::direct(&handler, parameters, self.store, self.echo);
        // What blocks its thread cannot be dropped: it is told.
        let _told_when_dropped = context.token().clone().drop_guard();
        let ran = run_handler(&handler, &context).await;
        let (_, log) = context.unreported();
        let error = match ran {
            Ok(output) => return Ok(CliReport::Ran { alias, output: output.into_json(), log }),
            Err(error) => error,
        };
        let message = match error.kind() {
            TaskErrorKind::Cancel => format!("canceled: {error}"),
            _ => error.message().to_owned(),
        };
        Err(Error::Handler { alias, message, log })
    }
}

impl fmt::Debug for ExecuteCli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteCli")
            .field("alias", &self.alias)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

impl IntoFuture for ExecuteCli {
    type Output = Result<CliReport>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<CliReport>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.execute())
    }
}
