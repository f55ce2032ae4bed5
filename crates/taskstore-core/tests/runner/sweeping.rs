//! What runners do about tasks that somebody has pushed out of their places.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use taskstore_core::{
    Backend, Lose, MemoryBackend, QueueName, RunError, RunnerId, Status, Store, TaskId,
    backend::{Claim, DefinitionKey},
};

/// A store, the backend under it to break, and what its error handler was told of tasks astray.
async fn store() -> (Store, MemoryBackend, Arc<Mutex<Vec<(TaskId, Status)>>>) {
    let backend = MemoryBackend::new();
    let store = Store::new(backend.clone());
    store.register_fn("work", |_, ()| async { Ok(()) }).await.unwrap();
    store.register_fn("other", |_, ()| async { Ok(()) }).await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&told);
    store.set_error_handler(move |_, task, error| {
        if let (Some(task), RunError::Astray { status }) = (task, error) {
            ears.lock().unwrap().push((task, *status));
        }
    });
    (store, backend, told)
}

async fn lose_definition(store: &Store, backend: &MemoryBackend, id: TaskId) {
    let task = store.tasks().get(id).await.unwrap();
    let key = DefinitionKey::Id(task.definition);
    assert!(backend.definition(&key).await.unwrap().is_some());
    backend.lose(Lose::Definition(task.definition));
}

#[tokio::test(start_paused = true)]
async fn what_lost_its_place_is_put_back_by_a_runner_and_told() {
    let (store, backend, told) = store().await;
    let ready = store.enqueue_by_alias("", "work", ()).await.unwrap();
    let leased = store.enqueue_by_alias("elsewhere", "work", ()).await.unwrap();
    let claim = Claim::new(RunnerId::new(), [QueueName::new("elsewhere").unwrap()], 1);
    backend.claim(&claim).await.unwrap();
    backend.lose(Lose::Place(ready));
    backend.lose(Lose::Lease(claim.lease));
    let runner = store.runner().queue("default").queue("elsewhere").start().await.unwrap();
    for id in [ready, leased] {
        store.wait_for(id, Duration::from_secs(600)).await.unwrap();
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 1), "nothing else was charged");
    }
    runner.stop().await;
    let mut told = told.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, [(ready, Status::Queued), (leased, Status::Queued)]);
}

#[tokio::test(start_paused = true)]
async fn what_can_never_run_fails_and_is_told() {
    let (store, backend, told) = store().await;
    let lost = store.enqueue_by_alias("", "other", ()).await.unwrap();
    let good = store.enqueue_by_alias("", "work", ()).await.unwrap();
    lose_definition(&store, &backend, lost).await;
    let runner = store.runner().start().await.unwrap();
    store.wait_for(good, Duration::from_secs(600)).await.unwrap();
    let error = store.wait_for(lost, Duration::from_secs(600)).await.unwrap_err();
    assert!(error.to_string().contains("its definition is gone from the store"), "{error}");
    runner.stop().await;
    assert_eq!(*told.lock().unwrap(), [(lost, Status::Failed)]);
}

#[tokio::test]
async fn a_sweep_by_hand_says_what_it_did_and_a_healthy_store_has_nothing_to_say() {
    let (store, backend, told) = store().await;
    let mut ids = Vec::new();
    for alias in ["work", "work", "other", "work"] {
        ids.push(store.enqueue_by_alias("", alias, ()).await.unwrap());
    }
    assert!(store.sweep().await.unwrap().is_empty());
    backend.lose(Lose::Place(ids[0]));
    backend.lose(Lose::Record(ids[1]));
    lose_definition(&store, &backend, ids[2]).await;
    let report = store.sweep().await.unwrap();
    assert_eq!((report.put_back.clone(), report.ended.clone()), (vec![ids[0]], vec![ids[2]]));
    assert_eq!(report.to_string(), "1 tasks put back, 1 ended, 2 rows dropped", "{report:?}");
    assert!(store.tasks().get(ids[0]).await.unwrap().suspect);
    assert!(store.sweep().await.unwrap().is_empty());
    assert_eq!(store.runner().run_once().await.unwrap().succeeded, 2);
    assert_eq!(told.lock().unwrap().len(), 2);
}
