//! What is particular to this backend: how waiters wake. The suite does the rest.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use futures_util::poll;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::*;
use crate::{
    Alias, QueueName, RunnerId,
    backend::{NewTask, Requeue, Settlement, Transition, When},
};

const MINUTE: Duration = Duration::from_secs(60);

async fn store() -> (MemoryBackend, Definition) {
    let backend = MemoryBackend::new();
    let definition = Definition::new(Alias::new("a.b").unwrap());
    backend.put_definition(&definition, Expect::Absent).await.unwrap();
    (backend, definition)
}

fn task(definition: &Definition, when: When) -> NewTask {
    let parameters = RawValue::from_string("{}".into()).unwrap();
    NewTask { when, ..NewTask::new(definition.id, parameters) }
}

fn queue() -> [QueuePattern; 1] {
    [QueueName::default().into()]
}

#[tokio::test(start_paused = true)]
async fn a_waiter_hears_of_work_stored_after_its_call_even_before_it_is_polled() {
    let (backend, definition) = store().await;
    let start = Instant::now();
    let queues = queue();
    let wait = backend.wait_for_work(&queues, MINUTE);
    backend.enqueue(&Enqueue::new(&[task(&definition, When::Now)])).await.unwrap();
    wait.await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_sleeps_through_other_queues_and_what_is_due_after_its_deadline() {
    let (backend, definition) = store().await;
    let start = Instant::now();
    let queues = queue();
    let mut wait = pin!(backend.wait_for_work(&queues, MINUTE));
    let other = NewTask { queue: QueueName::new("other").unwrap(), ..task(&definition, When::Now) };
    let late = task(&definition, When::After(2 * MINUTE));
    backend.enqueue(&Enqueue::new(&[other, late])).await.unwrap();
    assert_eq!(poll!(wait.as_mut()), Poll::Pending);
    wait.await;
    assert_eq!(start.elapsed(), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_hears_of_what_is_due_before_its_deadline() {
    let (backend, definition) = store().await;
    let queues = queue();
    let mut wait = pin!(backend.wait_for_work(&queues, MINUTE));
    assert_eq!(poll!(wait.as_mut()), Poll::Pending);
    backend.enqueue(&Enqueue::new(&[task(&definition, When::After(MINUTE / 2))])).await.unwrap();
    assert_eq!(poll!(wait.as_mut()), Poll::Ready(()));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_hears_of_a_release_a_promotion_and_a_queue_that_resumes() {
    let (backend, definition) = store().await;
    let queues = queue();
    let pending = |wait: &mut Pin<Box<dyn Future<Output = ()> + Send + '_>>| {
        futures_util::FutureExt::now_or_never(wait.as_mut()).is_none()
    };

    backend.enqueue(&Enqueue::new(&[task(&definition, When::Now)])).await.unwrap();
    let claimed =
        backend.claim(&Claim::new(RunnerId::new(), [QueueName::default()], 1)).await.unwrap();
    let mut wait = backend.wait_for_work(&queues, MINUTE);
    assert!(pending(&mut wait));
    let release = Transition::Requeue {
        to: Requeue::AsBefore,
        attempt: crate::backend::AttemptIs::Refunded,
        suspect: false,
        error: None,
    };
    let settlement = Settlement::new(claimed.tasks[0].lease, release);
    backend.settle(&Settle::new(vec![settlement])).await.unwrap();
    assert!(!pending(&mut wait));

    backend.enqueue(&Enqueue::new(&[task(&definition, When::After(MINUTE))])).await.unwrap();
    let mut wait = backend.wait_for_work(&queues, MINUTE);
    assert!(pending(&mut wait));
    backend.promote(&Promote::new(1).at(clock::add(clock::now(), 2 * MINUTE))).await.unwrap();
    assert!(!pending(&mut wait));

    let mut settings = QueueSettings { name: QueueName::default(), paused: true };
    backend.put_queue(&settings).await.unwrap();
    let mut wait = backend.wait_for_work(&queues, MINUTE);
    assert!(pending(&mut wait));
    settings.paused = false;
    backend.put_queue(&settings).await.unwrap();
    assert!(!pending(&mut wait));
}

#[tokio::test(start_paused = true)]
async fn two_waiters_both_hear_and_a_dropped_one_leaves_nothing_behind() {
    let (backend, definition) = store().await;
    let queues = queue();
    let (first, second) =
        (backend.wait_for_work(&queues, MINUTE), backend.wait_for_work(&queues, MINUTE));
    drop(backend.wait_for_work(&queues, MINUTE));
    let start = Instant::now();
    backend.enqueue(&Enqueue::new(&[task(&definition, When::Now)])).await.unwrap();
    tokio::join!(first, second);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(backend.state().waiters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_does_not_overflow() {
    let (backend, definition) = store().await;
    let queues = queue();
    let mut wait = pin!(backend.wait_for_work(&queues, Duration::MAX));
    assert_eq!(poll!(wait.as_mut()), Poll::Pending);
    backend.enqueue(&Enqueue::new(&[task(&definition, When::Now)])).await.unwrap();
    wait.await;
}
