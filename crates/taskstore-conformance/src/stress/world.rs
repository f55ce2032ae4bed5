//! What all participants know without talking to each other: the tasks, by number. Whoever sends
//! number 7 sends the same task, so that participants repeat each other's requests too.

use std::time::Duration;

use serde_json::value::RawValue;
use taskstore_core::{
    DefinitionId, QueueName, TaskId, UniqueHash,
    backend::{NewTask, When},
};
use ulid::Ulid;

/// So many queues there are.
pub(super) const QUEUES: u64 = 3;

pub(super) fn definition(seed: u64) -> DefinitionId {
    DefinitionId::from(Ulid::from_parts(1, u128::from(seed)))
}

pub(super) fn queue(number: u64) -> QueueName {
    QueueName::new(&format!("stress-{}", number % QUEUES)).unwrap_or_default()
}

pub(super) fn queues() -> impl Iterator<Item = QueueName> {
    (0..QUEUES).map(queue)
}

pub(super) fn task_id(seed: u64, number: u64) -> TaskId {
    TaskId::from(Ulid::from_parts(2, (u128::from(seed % 65_536) << 64) + u128::from(number)))
}

/// Every fifth has one of few unique keys, every fourth a delay.
pub(super) fn task(seed: u64, number: u64) -> NewTask {
    let mut random = fastrand::Rng::with_seed(seed ^ number.rotate_left(32));
    let parameters = RawValue::from_string(number.to_string());
    let parameters = parameters.unwrap_or_else(|_| RawValue::NULL.to_owned());
    let mut task = NewTask::new(definition(seed), parameters);
    task.id = task_id(seed, number);
    task.queue = queue(random.u64(..QUEUES));
    task.priority = random.i16(-1..=1);
    task.when = match random.u8(..8) {
        0 => When::After(Duration::from_millis(random.u64(..20))),
        1 => When::After(Duration::from_secs(3600)),
        _ => When::Now,
    };
    if random.u8(..5) == 0 {
        task.unique = UniqueHash::new("stress", &format!("{seed} {}", random.u8(..4))).ok();
    }
    task
}
