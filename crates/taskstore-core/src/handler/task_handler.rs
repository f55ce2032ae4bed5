//! What a user writes: a kind of work, and how to do it.

use std::{future::Future, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{TaskContext, TaskResult};
use crate::{Backoff, MAX_ATTEMPTS};

/// A kind of work and the code that does it.
///
/// One instance serves every task of its kind, many at the same time: what it depends on (a mailer,
/// a pool) are plain fields, and whatever concerns *this* run comes in the [`TaskContext`].
///
/// ```
/// use serde::{Deserialize, Serialize};
/// # use taskstore_core as taskstore;
/// use taskstore::{TaskContext, TaskHandler, TaskResult};
///
/// #[derive(Serialize, Deserialize)]
/// struct Email { to: String }
///
/// struct SendEmail { from: String }
///
/// impl TaskHandler for SendEmail {
///     const ALIAS: &'static str = "email.send";
///     type Params = Email;
///     type Output = ();
///
///     async fn run(&self, ctx: TaskContext, email: Email) -> TaskResult<()> {
///         ctx.log_info(format!("{} -> {}", self.from, email.to));
///         Ok(())
///     }
/// }
/// ```
///
/// A panic in `run` is a failure with its message. Delivery is at least once: a run may be cut off
/// by a crash and repeated, so what it does should bear being done twice.
pub trait TaskHandler: Send + Sync + 'static {
    /// What its tasks are enqueued by: 1 to 128 visible ASCII characters, unique in a database.
    const ALIAS: &'static str;

    /// Aliases that it had before. Tasks that were enqueued under them are run by this handler.
    const FORMER_ALIASES: &'static [&'static str] = &[];

    /// A short name for people: at most 255 characters. Used when its definition is made.
    const TITLE: &'static str = "";

    /// What it does, for people: at most 64 KiB. Used when its definition is made.
    const DESCRIPTION: &'static str = "";

    /// What a task is given, stored as JSON. Parameters that do not fit the type fail the task
    /// permanently, with serde's reason.
    type Params: Serialize + DeserializeOwned + Send;

    /// What a run returns, stored as JSON: at most 1 MiB. `()` stores nothing.
    type Output: Serialize + Send;

    /// Does the work of one task.
    ///
    /// # Errors
    /// What `?` or a [`TaskError`](super::TaskError) says: tried again, failed, put off or canceled.
    fn run(
        &self,
        ctx: TaskContext,
        params: Self::Params,
    ) -> impl Future<Output = TaskResult<Self::Output>> + Send;

    /// How often a task is tried before it fails, unless it was enqueued with a number of its own:
    /// 1 to 10,000, by default 20.
    fn max_attempts(&self) -> u32 {
        MAX_ATTEMPTS
    }

    /// How long one run may take; then it is dropped at its next `.await`, and has failed. By
    /// default there is no limit. A handler that blocks its thread cannot be dropped: it must watch
    /// [`TaskContext::is_cancelled`].
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// How long to wait after a failure before the next try.
    fn backoff(&self) -> Backoff {
        Backoff::default()
    }
}

/// What a producer needs to know of a kind of work: its alias and its parameters. Every
/// [`TaskHandler`] has it for free; a program that enqueues without linking the handler implements
/// it on a type of its own.
///
/// ```
/// use serde::Serialize;
/// # use taskstore_core as taskstore;
/// use taskstore::TaskKey;
///
/// #[derive(Serialize)]
/// struct Email { to: String }
///
/// struct SendEmail;
///
/// impl TaskKey for SendEmail {
///     const KEY: &'static str = "email.send";
///     type Args = Email;
/// }
/// ```
pub trait TaskKey {
    /// The alias of the definition.
    const KEY: &'static str;

    /// What its handler is given, stored as JSON.
    type Args: Serialize;
}

impl<H: TaskHandler> TaskKey for H {
    const KEY: &'static str = H::ALIAS;
    type Args = H::Params;
}
