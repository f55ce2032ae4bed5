//! Counts the transactions that a store does anew, as it tells those who trace it.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, Once},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

/// How often, by the server's code, and by whether COMMIT said it.
pub(crate) type Retries = BTreeMap<(u64, bool), usize>;

static COUNTED: Mutex<Retries> = Mutex::new(Retries::new());

/// Counts from here on, once for the process.
pub(crate) fn count() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        tracing::subscriber::set_global_default(Registry::default().with(Counter)).unwrap();
    });
}

/// What was counted since this was last asked.
pub(crate) fn take() -> Retries {
    std::mem::take(&mut COUNTED.lock().unwrap())
}

struct Counter;

#[derive(Default)]
struct Retry {
    code: Option<u64>,
    at_commit: Option<bool>,
}

impl Visit for Retry {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "code" {
            self.code = Some(value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "at_commit" {
            self.at_commit = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut retry = Retry::default();
        event.record(&mut retry);
        if let Retry { code: Some(code), at_commit: Some(at_commit) } = retry {
            *COUNTED.lock().unwrap().entry((code, at_commit)).or_default() += 1;
        }
    }
}
