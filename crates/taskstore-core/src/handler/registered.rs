//! A handler as a runner sees it: JSON in, JSON out, whatever the types inside.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    Answers, BatchHandler, TaskContext, TaskError, TaskHandler, TaskOutput, TaskResult,
    batch::{BatchWork, batch_work},
    output,
};
use crate::{
    Alias, Backoff, Definition, DefinitionId, MAX_ATTEMPTS, Result, limits, runner::Gather,
};

/// What a run comes to.
type Ran = TaskResult<Option<Box<RawValue>>>;

/// What runs a handler.
enum Work {
    One(Box<dyn Fn(TaskContext) -> BoxFuture<'static, Ran> + Send + Sync>),
    Many { at_most: usize, wait: Duration, run: BatchWork },
}

type Fits = fn(&RawValue) -> Result<(), Misfit>;

/// Why parameters do not fit a handler.
pub(crate) struct Misfit {
    /// The top-level field that is to blame, if the type says so.
    pub(crate) field: Option<String>,
    /// What to tell people.
    pub(crate) reason: String,
}

/// How a run that takes too long is ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Its future is dropped after this time.
    Dropped(Duration),
    /// Its thread cannot be stopped: after this time it is told, and waited for.
    Told(Duration),
}

/// A handler with its definition.
pub(crate) struct Registered {
    pub(crate) alias: Alias,
    pub(crate) former_aliases: Vec<Alias>,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) definition: DefinitionId,
    pub(crate) max_attempts: u32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Backoff,
    /// Its run occupies a thread: dropping the future does not end it.
    pub(crate) blocking: bool,
    work: Work,
    fits: Fits,
}

impl Registered {
    /// Runs the handler once. What it returned, or else what it set as output.
    ///
    /// A panic of the handler passes through when the future is polled.
    pub(crate) fn run(&self, ctx: TaskContext) -> BoxFuture<'static, Ran> {
        match &self.work {
            Work::One(run) => run(ctx),
            Work::Many { run, .. } => {
                let answers = run(vec![ctx], None);
                Box::pin(async move {
                    let answer = answers.await.pop().unwrap_or_else(|| Ok(TaskOutput::none()));
                    answer.map(TaskOutput::into_json)
                })
            }
        }
    }

    /// Runs the handler once for all of them, within this time: what each came to, by position. The
    /// future does not panic. A handler that does not take many fails them.
    pub(crate) fn run_many(
        &self,
        contexts: Vec<TaskContext>,
        limit: Option<Duration>,
    ) -> BoxFuture<'static, Answers> {
        match &self.work {
            Work::Many { run, .. } => run(contexts, limit),
            Work::One(_) => {
                let no = |_| Err(TaskError::retryable("its handler takes one task at a time"));
                Box::pin(std::future::ready(contexts.into_iter().map(no).collect()))
            }
        }
    }

    /// How its tasks are gathered, if it takes many at once.
    pub(crate) fn gather(&self) -> Option<Gather> {
        match self.work {
            Work::One(_) => None,
            Work::Many { at_most, wait, .. } => {
                Some(Gather { handler: self.definition, at_most, wait })
            }
        }
    }

    /// How this time-out ends a run.
    pub(crate) fn limit(&self, timeout: Option<Duration>) -> Option<Limit> {
        timeout.map(if self.blocking { Limit::Told } else { Limit::Dropped })
    }

    /// Whether the handler's type takes these parameters.
    pub(crate) fn fits(&self, parameters: &RawValue) -> Result<(), Misfit> {
        (self.fits)(parameters)
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("alias", &self.alias)
            .field("definition", &self.definition)
            .field("max_attempts", &self.max_attempts)
            .field("timeout", &self.timeout)
            .field("backoff", &self.backoff)
            .field("blocking", &self.blocking)
            .finish_non_exhaustive()
    }
}

/// A handler that is checked but has no definition yet.
pub(crate) struct Candidate {
    /// What its definition is made of, if there is none.
    pub(crate) wanted: Definition,
    pub(crate) former_aliases: Vec<Alias>,
    max_attempts: u32,
    timeout: Option<Duration>,
    backoff: Backoff,
    blocking: bool,
    work: Work,
    fits: Fits,
}

impl Candidate {
    /// A handler that awaits.
    pub(crate) fn handler<H: TaskHandler>(handler: H) -> Result<Self> {
        let described = Described::by(&handler)?;
        let handler = Arc::new(handler);
        let work = work(move |ctx, params| {
            let handler = Arc::clone(&handler);
            async move { handler.run(ctx, params).await }
        });
        Ok(described.with(false, work, fits::<H::Params>))
    }

    /// A handler whose run may block its thread.
    pub(crate) fn blocking_handler<H: TaskHandler>(handler: H) -> Result<Self> {
        let described = Described::by(&handler)?;
        let handler = Arc::new(handler);
        let work = blocking_work(move |ctx, params| {
            tokio::runtime::Handle::current().block_on(handler.run(ctx, params))
        });
        Ok(described.with(true, work, fits::<H::Params>))
    }

    /// A handler that takes many tasks at once.
    pub(crate) fn batch_handler<H: BatchHandler>(handler: H) -> Result<Self> {
        let described = Described {
            max_attempts: handler.max_attempts(),
            timeout: handler.timeout(),
            backoff: handler.backoff(),
            ..Described::texts(H::KEY, H::TITLE, H::DESCRIPTION, H::FORMER_ALIASES)?
        };
        let at_most = limits::check_batch("AT_MOST", H::AT_MOST)?;
        let wait = limits::check_batch_wait("wait", handler.wait())?;
        let work = Work::Many { at_most, wait, run: batch_work(handler) };
        Ok(described.check()?.with(false, work, fits::<H::Args>))
    }

    /// A closure that awaits.
    pub(crate) fn closure<P, O, F, Fut>(alias: &str, closure: F) -> Result<Self>
    where
        P: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(TaskContext, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = TaskResult<O>> + Send + 'static,
    {
        Ok(Described::named(alias)?.with(false, work(closure), fits::<P>))
    }

    /// A closure that blocks its thread.
    pub(crate) fn blocking_closure<P, O, F>(alias: &str, closure: F) -> Result<Self>
    where
        P: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(TaskContext, P) -> TaskResult<O> + Send + Sync + 'static,
    {
        Ok(Described::named(alias)?.with(true, blocking_work(closure), fits::<P>))
    }

    #[cfg(test)]
    pub(crate) const fn is_blocking(&self) -> bool {
        self.blocking
    }

    /// The handler of this definition.
    pub(crate) fn registered(self, definition: DefinitionId) -> Registered {
        Registered {
            alias: self.wanted.alias,
            former_aliases: self.former_aliases,
            title: self.wanted.title,
            description: self.wanted.description,
            definition,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            backoff: self.backoff,
            blocking: self.blocking,
            work: self.work,
            fits: self.fits,
        }
    }
}

/// What a handler says of itself, checked.
struct Described {
    wanted: Definition,
    former_aliases: Vec<Alias>,
    max_attempts: u32,
    timeout: Option<Duration>,
    backoff: Backoff,
}

impl Described {
    fn named(alias: &str) -> Result<Self> {
        Ok(Self {
            wanted: Definition::new(Alias::new(alias)?),
            former_aliases: Vec::new(),
            max_attempts: MAX_ATTEMPTS,
            timeout: None,
            backoff: Backoff::default(),
        })
    }

    fn by<H: TaskHandler>(handler: &H) -> Result<Self> {
        let described = Self {
            max_attempts: handler.max_attempts(),
            timeout: handler.timeout(),
            backoff: handler.backoff(),
            ..Self::texts(H::ALIAS, H::TITLE, H::DESCRIPTION, H::FORMER_ALIASES)?
        };
        described.check()
    }

    fn texts(alias: &str, title: &str, description: &str, former: &[&str]) -> Result<Self> {
        let mut described = Self::named(alias)?;
        described.wanted.title = title.to_owned();
        described.wanted.description = description.to_owned();
        described.wanted.check()?;
        described.former_aliases =
            former.iter().map(|alias| Alias::new(alias)).collect::<Result<_>>()?;
        Ok(described)
    }

    fn check(mut self) -> Result<Self> {
        limits::check_attempts("max_attempts", self.max_attempts)?;
        let timeout = self.timeout.map(|limit| limits::check_timeout("timeout", limit));
        self.timeout = timeout.transpose()?;
        Ok(self)
    }

    fn with(self, blocking: bool, work: Work, fits: Fits) -> Candidate {
        let Self { wanted, former_aliases, max_attempts, timeout, backoff } = self;
        Candidate { wanted, former_aliases, max_attempts, timeout, backoff, blocking, work, fits }
    }
}

fn work<P, O, F, Fut>(run: F) -> Work
where
    P: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
    F: Fn(TaskContext, P) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = TaskResult<O>> + Send + 'static,
{
    let run = Arc::new(run);
    Work::One(Box::new(move |ctx| {
        let run = Arc::clone(&run);
        Box::pin(async move {
            let params = parse(ctx.parameters())?;
            let output = run(ctx.clone(), params).await?;
            stored(&ctx, &output)
        })
    }))
}

fn blocking_work<P, O, F>(run: F) -> Work
where
    P: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
    F: Fn(TaskContext, P) -> TaskResult<O> + Send + Sync + 'static,
{
    let run = Arc::new(run);
    Work::One(Box::new(move |ctx| {
        let run = Arc::clone(&run);
        Box::pin(async move {
            let span = tracing::Span::current();
            let thread = tokio::task::spawn_blocking(move || {
                let _in_span = span.enter();
                let params = parse(ctx.parameters())?;
                let output = run(ctx.clone(), params)?;
                stored(&ctx, &output)
            });
            match thread.await {
                Ok(ran) => ran,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => Err(TaskError::retryable(error)),
                },
            }
        })
    }))
}

/// What is stored as output: what was returned, or else what was set.
pub(super) fn stored(ctx: &TaskContext, returned: &impl Serialize) -> Ran {
    Ok(output::to_json(returned)?.or_else(|| ctx.take_output()))
}

/// Whether the parameters are what the type takes.
fn fits<P: DeserializeOwned>(json: &RawValue) -> Result<(), Misfit> {
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    let Err(error) = serde_path_to_error::deserialize::<_, P>(&mut deserializer) else {
        return Ok(());
    };
    let field = match error.path().iter().next() {
        Some(serde_path_to_error::Segment::Map { key }) => Some(key.clone()),
        _ => None,
    };
    let reason = match parse::<P>(json) {
        Err(error) => error.message().to_owned(),
        Ok(_) => error.to_string(),
    };
    Err(Misfit { field, reason })
}

/// Parameters as the handler's type. The path to what does not fit is only looked for when needed.
pub(super) fn parse<P: DeserializeOwned>(json: &RawValue) -> TaskResult<P> {
    serde_json::from_str(json.get()).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_str(json.get());
        let path = serde_path_to_error::deserialize::<_, P>(&mut deserializer)
            .map_or_else(|error| error.path().to_string(), |_| String::new());
        TaskError::permanent(if matches!(&*path, "" | "." | "?") {
            format!("parameters do not fit the handler: {error}")
        } else {
            format!("parameters do not fit the handler: {path}: {error}")
        })
    })
}
