//! The store over the memory backend: what it accepts, what it refuses, what it asks.

mod bulk;
mod cli;
mod definitions;
mod enqueue;
mod find;
mod register;
mod retention;
mod settings;
mod spy;
mod tasks;
mod wait_for;

use spy::{Fault, Spy};

use crate::{
    Alias, Definition, DefinitionStatus, Error, QueueName, Result, RunnerId, Store, TaskContext,
    TaskKey, TaskResult,
    backend::{Backend, Claim, DefinitionKey, Expect, LeasedTask},
    clock,
};

/// A kind of work whose parameters are a number.
struct Count;

impl TaskKey for Count {
    const KEY: &'static str = "count";
    type Args = u64;
}

async fn count(_: TaskContext, _: u64) -> TaskResult<()> {
    Ok(())
}

/// A store that has the handler of [`Count`].
async fn store() -> (Store, Spy) {
    let spy = Spy::default();
    let store = Store::new(spy.clone());
    store.register_fn(Count::KEY, count).await.unwrap();
    (store, spy)
}

async fn definition(spy: &Spy, alias: &str) -> Option<Definition> {
    spy.memory.definition(&DefinitionKey::Alias(Alias::new(alias).unwrap())).await.unwrap()
}

/// Changes a definition as an operator in another process does.
async fn change(spy: &Spy, alias: &str, change: impl FnOnce(&mut Definition)) {
    let mut definition = definition(spy, alias).await.unwrap();
    let updated_at = definition.updated_at;
    change(&mut definition);
    definition.updated_at = clock::add(updated_at, std::time::Duration::from_micros(1));
    spy.memory.put_definition(&definition, Expect::Unchanged { updated_at }).await.unwrap();
}

fn cancel(definition: &mut Definition) {
    definition.status = DefinitionStatus::Canceled;
}

fn soft_delete(definition: &mut Definition) {
    definition.deleted_at = Some(clock::now());
}

/// Claims what is due in a queue, as a runner in another process does.
async fn claim(spy: &Spy, queue: &str) -> Vec<LeasedTask> {
    let queue = QueueName::new(queue).unwrap();
    spy.memory.claim(&Claim::new(RunnerId::new(), [queue], 100)).await.unwrap().tasks
}

/// The field that was refused.
fn field<T: std::fmt::Debug>(refused: Result<T>) -> &'static str {
    match refused.unwrap_err() {
        Error::Invalid { field, .. } => field,
        other => panic!("not invalid: {other}"),
    }
}

fn not_found<T: std::fmt::Debug>(refused: Result<T>) -> &'static str {
    match refused.unwrap_err() {
        Error::NotFound { what, .. } => what,
        other => panic!("not missing: {other}"),
    }
}
