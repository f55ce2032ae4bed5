//! The model agrees with itself, and sees what a store does otherwise.

use taskstore_core::{MemoryBackend, QueueName, backend::QueueSettings};

use super::*;

async fn open() -> Arc<dyn Backend> {
    Arc::new(MemoryBackend::new())
}

#[tokio::test]
async fn two_stores_in_memory_answer_alike() {
    run(open, 64, 1).await.unwrap();
}

#[tokio::test]
async fn a_store_that_answers_otherwise_is_shown_in_a_short_sequence() {
    let open = || async {
        let store = MemoryBackend::new();
        let name = QueueName::new("model-0").unwrap();
        store.put_queue(&QueueSettings { name, paused: true }).await.unwrap();
        Arc::new(store) as Arc<dyn Backend>
    };
    let text = run(open, 64, 1).await.expect_err("it claims nothing from one of the queues");
    assert!(text.contains("in memory -> "), "{text}");
    // Three definitions, an enqueue and a claim: two lines each, and one more.
    assert!(text.lines().count() < 20, "{text}");
}
