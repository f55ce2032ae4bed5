//! What may be said about a task when it is enqueued, checked as it is said.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use time::UtcDateTime;

use crate::{
    DefinitionId, Error, QueueName, Result, TaskId, UniqueHash,
    backend::{NewTask, When},
    clock,
    limits::{self, PARAMETERS_BYTES_MAX},
};

/// The options of a task, and the first of them that cannot be.
#[derive(Clone, Debug)]
pub(super) struct Options {
    queue: QueueName,
    priority: i16,
    when: When,
    max_attempts: Option<u32>,
    unique: Option<Unique>,
    expires: Option<When>,
    timeout: Option<Duration>,
    bad: Option<Bad>,
}

/// A value that was refused: an [`Error::Invalid`] that can be cloned with its builder.
#[derive(Clone, Debug)]
pub(super) struct Bad {
    field: &'static str,
    reason: String,
}

#[derive(Clone, Debug)]
enum Unique {
    /// Within the definition, whose id is not known yet.
    Key(String),
    /// Within a scope that the caller named.
    Hash(UniqueHash),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: QueueName::default(),
            priority: 0,
            when: When::Now,
            max_attempts: None,
            unique: None,
            expires: None,
            timeout: None,
            bad: None,
        }
    }
}

impl Options {
    pub(super) fn queue(&mut self, name: &str) {
        if let Some(queue) = self.good(QueueName::new(name)) {
            self.queue = queue;
        }
    }

    pub(super) const fn queue_name(&self) -> &QueueName {
        &self.queue
    }

    pub(super) fn priority(&mut self, priority: i16) {
        self.priority = priority;
    }

    pub(super) fn when(&mut self, when: When) {
        if let Some(when) = self.good(check_when(when)) {
            self.when = when;
        }
    }

    pub(super) fn max_attempts(&mut self, attempts: u32) {
        self.max_attempts = self.good(limits::check_attempts("max_attempts", attempts));
    }

    pub(super) fn expires_in(&mut self, delay: Duration) {
        let checked = if delay.is_zero() {
            Err(Error::invalid("expires_in", "it is zero, so nothing could ever start"))
        } else {
            limits::check_delay("expires_in", delay)
        };
        self.expires = self.good(checked).map(|()| When::After(delay));
    }

    pub(super) fn expires_at(&mut self, at: UtcDateTime) {
        self.expires = self.good(check_time("expires_at", at)).map(When::At);
    }

    pub(super) fn timeout(&mut self, timeout: Duration) {
        self.timeout = self.good(limits::check_timeout("timeout", timeout));
    }

    pub(super) fn unique(&mut self, key: &str) {
        // Any scope serves to check the key: the real one is no longer than this.
        let checked = check_key(key).and_then(|()| UniqueHash::new("", key));
        self.unique = self.good(checked).map(|_| Unique::Key(key.to_owned()));
    }

    pub(super) fn unique_in(&mut self, scope: &str, key: &str) {
        let checked = check_key(key).and_then(|()| UniqueHash::new(scope, key));
        self.unique = self.good(checked).map(Unique::Hash);
    }

    /// The first bad value, as an error.
    pub(super) fn check(&self) -> Result<()> {
        self.bad.clone().map_or(Ok(()), |bad| Err(Error::from(bad)))?;
        check_can_start(self.when, self.expires)
    }

    /// The task with these options.
    pub(super) fn task(
        &self,
        id: TaskId,
        definition: DefinitionId,
        parameters: Box<RawValue>,
    ) -> Result<NewTask> {
        let mut task = NewTask::new(definition, parameters);
        task.id = id;
        task.queue = self.queue.clone();
        task.priority = self.priority;
        task.when = self.when;
        task.max_attempts = self.max_attempts;
        task.expires = self.expires;
        task.timeout = self.timeout;
        task.unique = match &self.unique {
            Some(Unique::Key(key)) => Some(UniqueHash::new(&definition.to_string(), key)?),
            Some(Unique::Hash(hash)) => Some(*hash),
            None => None,
        };
        Ok(task)
    }

    fn good<T>(&mut self, checked: Result<T>) -> Option<T> {
        checked.map_err(|error| self.bad.get_or_insert_with(|| error.into())).ok()
    }
}

impl From<Error> for Bad {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, reason } => Self { field, reason },
            other => Self { field: "task", reason: other.to_string() },
        }
    }
}

impl From<Bad> for Error {
    fn from(Bad { field, reason }: Bad) -> Self {
        Self::Invalid { field, reason }
    }
}

/// Parameters as JSON.
pub(crate) fn parameters(value: &impl Serialize) -> Result<Box<RawValue>> {
    let json = serde_json::value::to_raw_value(value)
        .map_err(|error| Error::invalid("parameters", format!("they are no JSON: {error}")))?;
    limits::check_bytes("parameters", json.get().len(), PARAMETERS_BYTES_MAX)?;
    Ok(json)
}

/// A time that every engine can store. One that has passed means now.
pub(super) fn check_when(when: When) -> Result<When> {
    match when {
        When::Now => Ok(when),
        When::After(delay) => limits::check_delay("delay", delay).map(|()| when),
        When::At(at) => check_time("at", at).map(When::At),
    }
}

fn check_time(field: &'static str, at: UtcDateTime) -> Result<UtcDateTime> {
    if at > clock::add(clock::now(), limits::DELAY_MAX) {
        return Err(Error::invalid(field, "it is more than 100 years ahead"));
    }
    Ok(clock::truncate(at))
}

/// Refuses a task that expires before it may run, as far as that can be told without a clock.
fn check_can_start(when: When, expires: Option<When>) -> Result<()> {
    let (field, never) = match (when, expires) {
        (When::After(run), Some(When::After(expires))) => ("expires_in", expires <= run),
        (When::At(run), Some(When::At(expires))) => ("expires_at", expires <= run),
        _ => return Ok(()),
    };
    if never {
        return Err(Error::invalid(field, "it has expired by the time that it may run"));
    }
    Ok(())
}

/// An empty key is most likely a value that was forgotten, and would hold back every other task.
fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid("unique key", "it is empty"));
    }
    Ok(())
}
