//! Tasks that their handlers complete in a transaction of their own.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use taskstore_core::{
    Backend, Error, LeaseId, RunnerId, Status, Store, Summary, TaskContext, TaskError, TaskId,
    TaskKey, TaskResult,
    backend::{Fate, LateLease, Settle, Settlement, TakeOver},
    limits::OUTPUT_BYTES_MAX,
};

use super::within::Work;
use crate::{
    checker::{Answer, Recorded, What},
    context::{Context, User, ok, release, secs},
};

cases! { "complete":
    given_a_run_when_it_completes_its_task_then_effect_and_end_are_there_together
        needs Transactions ["complete.together"];
    given_a_completion_that_is_rolled_back_when_the_handler_ends_then_its_result_decides
        needs Transactions ["complete.rolled_back"];
    given_a_commit_that_nobody_told_of_when_the_handler_ends_then_it_counts_once
        needs Transactions ["complete.unknown"];
    given_a_completion_when_the_handler_fails_after_the_commit_then_it_stands
        needs Transactions ["complete.unknown"];
    given_a_completed_task_when_its_run_completes_it_again_then_refused
        needs Transactions ["complete.once"];
    given_a_lease_that_was_lost_when_completed_then_refused_and_nothing_is_committed
        needs Transactions ["complete.fenced"];
    given_a_batch_when_one_completes_itself_then_its_neighbours_end_as_ever
        needs Transactions ["complete.neighbours"];
    given_a_keyed_task_when_completed_then_its_key_is_free_from_the_commit_on
        needs Transactions ["complete.together" "unique.freed"];
    given_a_cancel_request_when_completed_then_the_success_stands
        needs Transactions ["complete.together" "cancel.yields"];
    given_an_output_that_cannot_be_when_completed_then_refused needs Transactions ["complete.checked"];
    given_a_run_without_a_queue_when_it_completes_then_nothing_is_to_do
        needs Transactions ["complete.direct"];
}

/// What handlers of these cases work with.
#[derive(Clone)]
struct Shop {
    store: Store,
    user: User,
    /// What the error handler was told.
    told: Arc<Mutex<Vec<String>>>,
    runs: Arc<AtomicU32>,
}

impl Shop {
    async fn open(c: &Context, backend: Arc<dyn Backend>) -> Self {
        c.definition().await;
        let shop = Self {
            store: Store::from(backend),
            user: c.user(),
            told: Arc::default(),
            runs: Arc::default(),
        };
        let told = Arc::clone(&shop.told);
        shop.store.set_error_handler(move |_, _, error| {
            told.lock().unwrap().push(error.to_string());
        });
        shop
    }

    /// Registers a handler that is told which of its runs this is, from 1.
    async fn register<F>(&self, run: impl Fn(Self, TaskContext, u32) -> F + Send + Sync + 'static)
    where
        F: Future<Output = TaskResult<Value>> + Send + 'static,
    {
        let shop = self.clone();
        let work = move |ctx: TaskContext, _: Value| {
            let number = shop.runs.fetch_add(1, Ordering::Relaxed) + 1;
            run(shop.clone(), ctx, number)
        };
        ok("register", self.store.register_fn(Work::KEY, work).await);
    }

    async fn enqueue(&self) -> TaskId {
        ok("enqueue", self.store.enqueue::<Work>(json!(0)).await)
    }

    async fn run(&self) -> Summary {
        ok("run", self.store.runner().run_once().await)
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

async fn given_a_run_when_it_completes_its_task_then_effect_and_end_are_there_together(
    c: &Context,
) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, _| async move {
        ctx.log_info("before");
        ctx.progress(1, 2);
        let mut transaction = shop.user.begin().await;
        transaction.write(7).await;
        let completion = transaction.complete(&ctx, &json!({ "paid": true })).await?;
        assert!(shop.user.written().await.is_empty(), "not before the commit");
        transaction.commit().await;
        completion.committed();
        assert_eq!(shop.user.written().await, [7]);
        // As anybody sees it, while its handler still runs.
        let task = shop.store.tasks().get(ctx.id()).await?;
        assert_eq!((task.status, task.attempts), (Status::Success, 1));
        ctx.log_info("too late");
        Ok(json!("what it returns is not asked any more"))
    })
    .await;
    let id = shop.enqueue().await;
    assert_eq!(shop.run().await.to_string(), "1 succeeded");
    let task = ok("task", shop.store.tasks().get(id).await);
    assert_eq!((task.status, task.attempts), (Status::Success, 1));
    assert_eq!(task.output.as_ref().map(|json| json.get()), Some(r#"{"paid":true}"#));
    assert_eq!(task.progress.map(|p| (p.done, p.total)), Some((1, 2)));
    assert!(task.started_at <= task.completed_at && task.started_at.is_some());
    let log = ok("log", shop.store.tasks().log(id).await);
    assert_eq!(log.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["before"]);
    let attempts = ok("attempts", shop.store.tasks().attempts(id).await);
    assert_eq!(attempts.iter().map(|a| a.status).collect::<Vec<_>>(), [Status::Success]);
    assert_eq!((shop.runs(), shop.told()), (1, vec![]));
    c.nothing_to_claim().await;
}

async fn given_a_completion_that_is_rolled_back_when_the_handler_ends_then_its_result_decides(
    c: &Context,
) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, run| async move {
        ctx.log_info(format!("run {run}"));
        let mut transaction = shop.user.begin().await;
        transaction.write(run.into()).await;
        let completion = transaction.complete(&ctx, &json!("rolled back")).await?;
        transaction.roll_back().await;
        drop(completion);
        match run {
            1 => Err(TaskError::retry_in(secs(0), "not yet")),
            _ => Ok(json!("returned")),
        }
    })
    .await;
    let id = shop.enqueue().await;
    let mut summary = shop.run().await;
    while summary.succeeded == 0 {
        assert_eq!(summary.lost + summary.failed, 0);
        summary = shop.run().await;
    }
    let task = ok("task", shop.store.tasks().get(id).await);
    assert_eq!((task.status, task.attempts), (Status::Success, 2));
    assert_eq!(task.output.as_ref().map(|json| json.get()), Some(r#""returned""#));
    assert_eq!(task.last_error.as_deref(), Some("not yet"));
    let log = ok("log", shop.store.tasks().log(id).await);
    assert_eq!(log.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["run 1", "run 2"]);
    assert_eq!((shop.runs(), shop.user.written().await), (2, vec![]));
}

async fn given_a_commit_that_nobody_told_of_when_the_handler_ends_then_it_counts_once(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, run| async move {
        let mut transaction = shop.user.begin().await;
        transaction.write(run.into()).await;
        let completion = transaction.complete(&ctx, &json!("in the transaction")).await?;
        transaction.commit().await;
        // As after a commit whose reply was lost.
        drop(completion);
        match run {
            1 => Ok(json!("returned")),
            _ => Err(TaskError::retryable("the reply to the commit was lost")),
        }
    })
    .await;
    for n in 1..=2 {
        let id = shop.enqueue().await;
        assert_eq!(shop.run().await.to_string(), "1 succeeded");
        let task = ok("task", shop.store.tasks().get(id).await);
        assert_eq!((task.status, task.attempts), (Status::Success, 1));
        assert_eq!(task.output.as_ref().map(|json| json.get()), Some(r#""in the transaction""#));
        assert_eq!((shop.runs(), task.last_error), (n, None));
    }
    assert_eq!(shop.user.written().await, [1, 2]);
    c.nothing_to_claim().await;
}

async fn given_a_completion_when_the_handler_fails_after_the_commit_then_it_stands(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, run| async move {
        let mut transaction = shop.user.begin().await;
        transaction.write(run.into()).await;
        let completion = transaction.complete(&ctx, &Value::Null).await?;
        transaction.commit().await;
        completion.committed();
        if run == 1 {
            return Err(TaskError::permanent("too late to fail"));
        }
        panic!("too late to panic");
    })
    .await;
    for _ in 0..2 {
        let id = shop.enqueue().await;
        assert_eq!(shop.run().await.to_string(), "1 succeeded");
        let task = ok("task", shop.store.tasks().get(id).await);
        assert_eq!((task.status, task.attempts, task.last_error), (Status::Success, 1, None));
        assert!(task.output.is_none());
    }
    assert_eq!(shop.user.written().await, [1, 2]);
    let told = shop.told();
    assert_eq!(told.len(), 2, "whoever watches hears of it: {told:?}");
    assert!(told[0].contains("too late to fail") && told[1].contains("too late to panic"));
}

async fn given_a_completed_task_when_its_run_completes_it_again_then_refused(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, _| async move {
        for n in 0..3 {
            let mut transaction = shop.user.begin().await;
            transaction.write(n).await;
            match transaction.complete(&ctx, &json!(n)).await {
                Ok(completion) => {
                    assert_eq!(n, 0);
                    transaction.commit().await;
                    // It is told that the commit has failed, and tries again.
                    drop(completion);
                }
                Err(error @ Error::InvalidTransition { from: Status::Success, .. }) => {
                    assert!(error.to_string().contains("cannot be completed again"), "{error}");
                    transaction.roll_back().await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        Ok(Value::Null)
    })
    .await;
    let id = shop.enqueue().await;
    assert_eq!(shop.run().await.to_string(), "1 succeeded");
    assert_eq!((shop.user.written().await, shop.runs()), (vec![0], 1));
    let task = ok("task", shop.store.tasks().get(id).await);
    assert_eq!(
        (task.attempts, task.output.map(|json| json.get().to_owned())),
        (1, Some("0".into()))
    );
}

/// Takes the lease of the last claim over, as the watcher of another runner would.
async fn steal(recorded: &Recorded) -> Settlement {
    let mut claims = recorded.history().into_iter().rev().filter_map(|event| match event.what {
        What::Claim { lease, answer: Answer::Said(given) } if !given.is_empty() => Some(lease),
        _ => None,
    });
    let lease = LeaseId::from(claims.next().unwrap());
    let runner = RunnerId::new();
    // It has not beaten often yet.
    for beat in 0..100 {
        let seen = LateLease { lease, beat, lease_for: secs(15) };
        let request = TakeOver::new(runner, vec![(seen, LeaseId::new())]);
        let taken = ok("take_over", recorded.take_over(&request).await);
        if let Some(Some(taken)) = taken.into_iter().next() {
            return Settlement::new(taken.tasks[0].lease, release());
        }
    }
    panic!("the lease was not there")
}

async fn given_a_lease_that_was_lost_when_completed_then_refused_and_nothing_is_committed(
    c: &Context,
) {
    let recorded = Recorded::new(c.backend().clone(), 0);
    let shop = Shop::open(c, Arc::new(recorded.clone())).await;
    shop.register(move |shop, ctx, run| {
        let recorded = recorded.clone();
        async move {
            let stolen = if run == 1 { Some(steal(&recorded).await) } else { None };
            let mut transaction = shop.user.begin().await;
            transaction.write(run.into()).await;
            let completed = transaction.complete(&ctx, &json!(run)).await;
            let Some(stolen) = stolen else {
                let completion = completed?;
                transaction.commit().await;
                completion.committed();
                return Ok(Value::Null);
            };
            let error = completed.unwrap_err();
            assert!(matches!(error, Error::LeaseLost { task } if task == ctx.id()), "{error}");
            // Somebody who commits nevertheless has completed nothing.
            transaction.roll_back().await;
            let mut transaction = shop.user.begin().await;
            assert!(transaction.complete(&ctx, &json!(run)).await.is_err());
            transaction.commit().await;
            let task = shop.store.tasks().get(ctx.id()).await?;
            assert_eq!((task.status, task.output.is_none()), (Status::Running, true));
            let given_back = recorded.settle(&Settle::new(vec![stolen])).await?;
            assert_eq!(given_back.fates, [Fate::Applied { status: Status::Queued }]);
            Err(error.into())
        }
    })
    .await;
    let id = shop.enqueue().await;
    let mut summary = shop.run().await;
    while summary.succeeded == 0 {
        summary = shop.run().await;
    }
    assert_eq!((shop.runs(), shop.user.written().await), (2, vec![2]));
    let task = ok("task", shop.store.tasks().get(id).await);
    assert_eq!((task.status, task.attempts), (Status::Success, 1));
    assert_eq!(task.output.as_ref().map(|json| json.get()), Some("2"));
    let told = shop.told();
    assert!(told.iter().any(|told| told.contains("lease")), "{told:?}");
}

async fn given_a_batch_when_one_completes_itself_then_its_neighbours_end_as_ever(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, run| async move {
        if run % 2 == 0 {
            return Ok(json!(run));
        }
        let mut transaction = shop.user.begin().await;
        transaction.write(run.into()).await;
        let completion = transaction.complete(&ctx, &json!(run)).await?;
        if run % 4 == 1 {
            transaction.commit().await;
            completion.committed();
        } else {
            transaction.roll_back().await;
        }
        Ok(json!(run))
    })
    .await;
    let tasks = (0..8).map(|n| json!(n));
    let ids = ok("enqueue", shop.store.enqueue_many::<Work>(tasks).await);
    let summary = ok("run", shop.store.runner().concurrency(3).run_once().await);
    assert_eq!(summary.to_string(), "8 succeeded");
    for id in ids {
        let task = ok("task", shop.store.tasks().get(id).await);
        assert_eq!((task.status, task.attempts), (Status::Success, 1));
        assert!(task.output.is_some());
    }
    let mut written = shop.user.written().await;
    written.sort_unstable();
    assert_eq!((shop.runs(), written), (8, vec![1, 5]));
    assert_eq!((shop.told(), c.late_leases().await), (vec![], vec![]));
    c.nothing_to_claim().await;
}

async fn given_a_keyed_task_when_completed_then_its_key_is_free_from_the_commit_on(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    let keyed = |shop: &Shop| shop.store.enqueue::<Work>(json!(0)).unique("key");
    shop.register(move |shop, ctx, _| async move {
        assert!(keyed(&shop).outcome().await?.duplicate);
        let mut transaction = shop.user.begin().await;
        let completion = transaction.complete(&ctx, &Value::Null).await?;
        let next = transaction.enqueue(keyed(&shop).delay(secs(60))).await?;
        assert!(!next.is_duplicate(), "in the transaction itself it is free");
        transaction.commit().await;
        completion.committed();
        assert!(keyed(&shop).outcome().await?.duplicate, "the next one has it");
        Ok(Value::Null)
    })
    .await;
    ok("enqueue", keyed(&shop).await);
    assert_eq!(shop.run().await.to_string(), "1 succeeded");
}

async fn given_a_cancel_request_when_completed_then_the_success_stands(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, _| async move {
        shop.store.tasks().cancel(ctx.id()).await?;
        let mut transaction = shop.user.begin().await;
        let completion = transaction.complete(&ctx, &Value::Null).await?;
        transaction.commit().await;
        completion.committed();
        Ok(Value::Null)
    })
    .await;
    let id = shop.enqueue().await;
    assert_eq!(shop.run().await.to_string(), "1 succeeded");
    let task = ok("task", shop.store.tasks().get(id).await);
    assert_eq!((task.status, task.cancel_requested_at), (Status::Success, None));
}

async fn given_an_output_that_cannot_be_when_completed_then_refused(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, _| async move {
        let mut transaction = shop.user.begin().await;
        transaction.write(1).await;
        let large = json!("x".repeat(OUTPUT_BYTES_MAX));
        let error = transaction.complete(&ctx, &large).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "output", .. }), "{error}");
        let fits = json!("x".repeat(OUTPUT_BYTES_MAX - 2));
        let completion = transaction.complete(&ctx, &fits).await?;
        transaction.commit().await;
        completion.committed();
        Ok(Value::Null)
    })
    .await;
    shop.enqueue().await;
    assert_eq!(shop.run().await.to_string(), "1 succeeded");
    assert_eq!(shop.user.written().await, [1]);
}

async fn given_a_run_without_a_queue_when_it_completes_then_nothing_is_to_do(c: &Context) {
    let shop = Shop::open(c, c.backend().clone()).await;
    shop.register(|shop, ctx, _| async move {
        assert!(!ctx.is_queued());
        let mut transaction = shop.user.begin().await;
        transaction.write(1).await;
        let completion = transaction.complete(&ctx, &json!(1)).await?;
        transaction.commit().await;
        completion.committed();
        Ok(json!("done"))
    })
    .await;
    let report = ok("execute_cli", shop.store.execute_cli("case.work", [""; 0]).await);
    assert!(format!("{report:?}").contains("done"), "{report:?}");
    assert_eq!(shop.user.written().await, [1]);
    c.nothing_to_claim().await;
}
