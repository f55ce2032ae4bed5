//! A recorder that can be asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

#[derive(Default)]
struct Series {
    counters: BTreeMap<String, Arc<AtomicU64>>,
    gauges: BTreeMap<String, Arc<AtomicU64>>,
    histograms: BTreeMap<String, Arc<Values>>,
    described: Vec<String>,
}

static SERIES: Mutex<Option<Series>> = Mutex::new(None);

fn series<T>(with: impl FnOnce(&mut Series) -> T) -> T {
    with(SERIES.lock().unwrap().get_or_insert_default())
}

/// As Prometheus shows it: `name{a="x",b="y"}`, the labels in their order.
fn shown(key: &Key) -> String {
    let labels: Vec<_> =
        key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

struct Remember;

impl Recorder for Remember {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        series(|series| series.described.push(name.as_str().to_owned()));
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        series(|series| series.described.push(name.as_str().to_owned()));
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        series(|series| series.described.push(name.as_str().to_owned()));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(series(|s| Arc::clone(s.counters.entry(shown(key)).or_default())))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(series(|s| Arc::clone(s.gauges.entry(shown(key)).or_default())))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(series(|s| Arc::clone(s.histograms.entry(shown(key)).or_default())))
    }
}

/// Records from here on, once for the process.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| metrics::set_global_recorder(Remember).unwrap());
}

/// Every counter of which something was counted, and whose text has this in it.
pub(crate) fn counted(part: &str) -> Vec<String> {
    let line = |(name, value): (&String, &Arc<AtomicU64>)| {
        let value = value.load(Ordering::Relaxed);
        (name.contains(part) && value > 0).then(|| format!("{name} {value}"))
    };
    series(|series| series.counters.iter().filter_map(line).collect())
}

pub(crate) fn counter(name: &str) -> u64 {
    series(|series| series.counters.get(name).map_or(0, |value| value.load(Ordering::Relaxed)))
}

pub(crate) fn gauge(name: &str) -> f64 {
    series(|series| {
        let gauge = series.gauges.get(name);
        gauge.map_or(0.0, |value| f64::from_bits(value.load(Ordering::Relaxed)))
    })
}

pub(crate) fn histogram(name: &str) -> Vec<f64> {
    series(|series| {
        let histogram = series.histograms.get(name);
        histogram.map_or_else(Vec::new, |values| values.0.lock().unwrap().clone())
    })
}

/// Names that have a text, and the names of all series.
pub(crate) fn described_and_used() -> (Vec<String>, Vec<String>) {
    series(|series| {
        let used = series.counters.keys().chain(series.gauges.keys());
        let used = used.chain(series.histograms.keys());
        let bare = |name: &String| name.split('{').next().unwrap_or_default().to_owned();
        (series.described.clone(), used.map(bare).collect())
    })
}
