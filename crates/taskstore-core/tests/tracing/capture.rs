//! A subscriber that keeps everything, for all threads of the process.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, Once},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::{LookupSpan, SpanRef},
};

pub(crate) type Fields = BTreeMap<&'static str, String>;

/// A span, or an event within spans.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The name of a span, the message of an event.
    pub(crate) what: String,
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) fields: Fields,
    /// The spans around it, the outermost first.
    pub(crate) within: Vec<(&'static str, Fields)>,
}

static SAID: Mutex<Vec<Said>> = Mutex::new(Vec::new());

/// Captures from here on, once for the process.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        tracing::subscriber::set_global_default(Registry::default().with(Capture)).unwrap();
    });
}

/// What was said with this field, or within a span that has it.
pub(crate) fn about(field: &str, value: &str) -> Vec<Said> {
    let has = |fields: &Fields| fields.get(field).is_some_and(|v| v == value);
    let about = |said: &&Said| has(&said.fields) || said.within.iter().any(|(_, span)| has(span));
    SAID.lock().unwrap().iter().filter(about).cloned().collect()
}

struct Visitor(Fields);

impl Visit for Visitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

struct Capture;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let mut visitor = Visitor(Fields::new());
        attributes.record(&mut visitor);
        let span = ctx.span(id).unwrap();
        span.extensions_mut().insert(visitor.0.clone());
        let within = around(span.parent().as_ref());
        let name = attributes.metadata().name().to_owned();
        say(attributes.metadata(), name, visitor.0, within);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut visitor = Visitor(Fields::new());
        event.record(&mut visitor);
        let message = visitor.0.remove("message").unwrap_or_default();
        say(event.metadata(), message, visitor.0, around(ctx.event_span(event).as_ref()));
    }
}

fn around<'a, S: LookupSpan<'a>>(
    innermost: Option<&SpanRef<'a, S>>,
) -> Vec<(&'static str, Fields)> {
    let mut spans = Vec::new();
    for span in innermost.into_iter().flat_map(|span| span.scope().from_root()) {
        spans.push((span.name(), span.extensions().get::<Fields>().cloned().unwrap_or_default()));
    }
    spans
}

fn say(
    metadata: &Metadata<'static>,
    what: String,
    fields: Fields,
    within: Vec<(&'static str, Fields)>,
) {
    let (level, target) = (*metadata.level(), metadata.target());
    SAID.lock().unwrap().push(Said { what, level, target, fields, within });
}
