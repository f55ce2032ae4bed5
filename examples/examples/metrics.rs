//! Metrics for Prometheus, on an endpoint of the program's own.
//!
//! The example scrapes itself, so that it ends:
//!
//! ```console
//! $ cargo run --example metrics
//! ```
//!
//! `taskstore::telemetry` lists what there is. It needs the cargo feature `metrics`.

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::{Router, extract::State, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use taskstore::{Store, TaskContext, TaskError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const QUEUES: [&str; 2] = ["shipping", "invoices"];

/// `GET /metrics`: what this process has counted, and what waits in the database, which is asked
/// when somebody looks.
async fn show(State((store, recorder)): State<(Store, PrometheusHandle)>) -> String {
    for name in QUEUES {
        match store.queues().get(name).await {
            Ok(queue) => {
                let oldest = queue.oldest_ready.unwrap_or_default();
                metrics::gauge!("taskstore_queue_ready_tasks", "queue" => name)
                    .set(queue.tasks.ready.seen() as f64);
                metrics::gauge!("taskstore_queue_oldest_ready_seconds", "queue" => name)
                    .set(oldest.as_secs_f64());
            }
            Err(error) => eprintln!("queue {name} could not be looked at: {error}"),
        }
    }
    recorder.render()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Before the store is opened, which registers with it. Without buckets Prometheus would be given
    // quantiles, which cannot be added up over processes.
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0],
        )?
        .set_buckets_for_metric(Matcher::Suffix("_claim_tasks".into()), &[1.0, 10.0, 100.0])?
        .install_recorder()?;

    let store = taskstore::connect("memory:").on_error(|_, _, _| {}).await?;
    store
        .register_fn("order.ship", |ctx: TaskContext, number: u32| async move {
            if number.is_multiple_of(10) && ctx.attempt() == 1 {
                return Err(TaskError::retry_in(Duration::ZERO, "the carrier is busy"));
            }
            if number.is_multiple_of(25) {
                return Err(TaskError::permanent("there is no such order"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await; // the work
            Ok(())
        })
        .await?;
    for number in 1..=100 {
        store.enqueue_by_alias("shipping", "order.ship", number).await?;
        store.enqueue_by_alias("invoices", "order.ship", number).await?;
    }
    println!("shipping: {}", store.runner().queue("shipping").run_once().await?);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/metrics", get(show)).with_state((store, recorder));
    let scraped = async move {
        match scrape(address).await {
            Ok(page) => print_part(&page),
            Err(error) => eprintln!("{error}"),
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(scraped).await?;
    Ok(())
}

/// What Prometheus does every few seconds.
async fn scrape(server: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    Ok(page)
}

/// All but the texts and most of the buckets.
fn print_part(page: &str) {
    for line in page.lines().filter(|line| line.starts_with("taskstore_")) {
        if !line.contains("_bucket{") || line.contains(r#"le="0.1""#) || line.contains("+Inf") {
            println!("{line}");
        }
    }
}
