use std::sync::Arc;

use taskstore_core::MemoryBackend;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_backend_keeps_every_promise_under_stress() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let tally = run(&[backend], Options::new(fastrand::u64(..)))
        .await
        .unwrap_or_else(|violations| panic!("{}", violations.join("\n")));
    println!("{tally:?}");
    assert!(tally.least() > 50 && tally.unknown > 50, "{tally:?}");
}
