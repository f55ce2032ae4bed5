//! Replies that are lost: the request happened, or it did not, and nobody knows.

use std::sync::Mutex;

use taskstore::Store;
use taskstore_tests::faulty::{Fault, Faulty};

use crate::common::{Count, Counts, all_succeed_at_once, file};

#[tokio::test(flavor = "multi_thread")]
async fn lost_requests_and_replies_run_nothing_twice_and_lose_nothing() {
    for seed in 0..4 {
        let (_folder, backend) = file().await;
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let faulty = Faulty::new(backend.clone(), move |call| {
            // What a user asks for directly is not what is tried here.
            if !matches!(call, "claim" | "settle" | "recall" | "isolate" | "promote" | "report") {
                return Fault::None;
            }
            match random.lock().unwrap().u8(..10) {
                0 => Fault::Before,
                1 => Fault::After,
                _ => Fault::None,
            }
        });
        let store = Store::new(faulty);
        let counts = Counts::serve(&store).await;
        let tasks = store.enqueue_many::<Count>((0..300).map(|n| n % 4)).await.unwrap();
        let runner = store.runner().start().await.unwrap();
        all_succeed_at_once(&Store::from(backend), &tasks).await;
        runner.stop().await;
        assert_eq!((counts.runs(), counts.lost()), (300, 0), "seed {seed}");
        assert!(counts.storage_errors() > 0, "seed {seed}");
    }
}
