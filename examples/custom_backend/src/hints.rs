//! Who waits for work is told when some was committed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use taskstore_core::{QueueName, QueuePattern, clock};
use tokio::sync::broadcast::{self, Sender, error::RecvError};

/// What came into a queue.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// When the first of it is due; `None`: now.
    pub due: Option<i64>,
}

/// By queue.
type News = Arc<HashMap<String, Hint>>;

/// Those who wait.
#[derive(Debug)]
pub struct Hints(Sender<News>);

impl Hints {
    pub fn new() -> Self {
        Self(broadcast::channel(256).0)
    }

    /// Tells everybody; to be called after the commit.
    pub fn tell(&self, news: HashMap<String, Hint>) {
        if !news.is_empty() {
            // Nobody may be waiting.
            let _ = self.0.send(Arc::new(news));
        }
    }

    /// Returns at the deadline, or when there is news for one of these queues before it.
    pub async fn wait(&self, queues: &[QueuePattern], at_most: Duration) {
        let mut news = self.0.subscribe();
        let until = clock::to_micros(clock::add(clock::now(), at_most));
        let heard = async {
            loop {
                match news.recv().await {
                    Ok(news)
                        if news.iter().any(|(queue, hint)| hint.is_for(queue, queues, until)) =>
                    {
                        break;
                    }
                    Ok(_) => {}
                    // So much happened that some of it was not heard: it may have been ours.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                }
            }
        };
        let _ = tokio::time::timeout(at_most, heard).await;
    }
}

impl Hint {
    fn is_for(self, queue: &str, queues: &[QueuePattern], until: i64) -> bool {
        self.due.is_none_or(|due| due <= until)
            && QueueName::new(queue)
                .is_ok_and(|queue| queues.iter().any(|pattern| pattern.matches(&queue)))
    }
}
