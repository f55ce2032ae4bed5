//! A web application: a request enqueues a task, another asks for its result, and a stop lets both
//! the server and the runner finish what they have begun.
//!
//! The example is its own visitor, so that it ends. As a server of yours it would go on until Ctrl-C:
//!
//! ```console
//! $ cargo run --example axum_app
//! ```

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use taskstore::{Store, TaskContext, TaskHandler, TaskId, TaskResult};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Serialize, Deserialize)]
struct Month {
    month: u8,
}

struct BuildReport;

impl TaskHandler for BuildReport {
    const ALIAS: &'static str = "report.build";
    type Params = Month;
    type Output = serde_json::Value;

    async fn run(&self, _: TaskContext, Month { month }: Month) -> TaskResult<serde_json::Value> {
        tokio::time::sleep(Duration::from_millis(500)).await; // the work
        Ok(json!({ "month": month, "total": u32::from(month) * 1_000 }))
    }
}

/// `POST /reports {"month": 3}`: answers at once with the id. Who asks twice gets the same one.
async fn order(State(store): State<Store>, Json(month): Json<Month>) -> Result<Response, Failure> {
    let key = month.month.to_string();
    let id = store.enqueue::<BuildReport>(month).queue("reports").unique(key).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id.to_string() }))).into_response())
}

/// `GET /reports/{id}`: waits up to ten seconds for the result.
async fn fetch(State(store): State<Store>, Path(id): Path<String>) -> Result<Response, Failure> {
    let id: TaskId = id.parse()?;
    match store.wait_for(id, Duration::from_secs(10)).await {
        Ok(output) => Ok(Json(output).into_response()),
        Err(taskstore::Error::NotEnded { status, .. }) => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "status": status.as_str() }))).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// What went wrong, as a browser is told.
struct Failure(taskstore::Error);

impl From<taskstore::Error> for Failure {
    fn from(error: taskstore::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0 {
            taskstore::Error::NotFound { .. } => StatusCode::NOT_FOUND,
            taskstore::Error::Invalid { .. } => StatusCode::BAD_REQUEST,
            taskstore::Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = taskstore::connect("sqlite://axum_app.db").auto_migrate(true).await?;
    store.register(BuildReport).await?;
    let runner = store.runner().queue("reports").start().await?;

    let app = Router::new()
        .route("/reports", post(order))
        .route("/reports/{id}", get(fetch))
        .with_state(store);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");

    let asked_to_end = async move {
        tokio::select! {
            () = taskstore::shutdown_signal() => {}
            visited = visit(address) => println!("the visitor has gone: {visited:?}"),
        }
    };
    // The server first, so that nothing new comes in; requests that wait for a report get it,
    // because the runner still runs.
    axum::serve(listener, app).with_graceful_shutdown(asked_to_end).await?;
    println!("the server has stopped");
    println!("the runner has stopped: {}", runner.stop().await.summary);
    Ok(())
}

/// What a browser would do.
async fn visit(server: SocketAddr) -> std::io::Result<()> {
    let ordered = request(server, "POST", "/reports", r#"{"month":3}"#).await?;
    let again = request(server, "POST", "/reports", r#"{"month":3}"#).await?;
    println!("the same task for both: {}", ordered == again);
    let id = ordered.split('"').nth(3).unwrap_or_default().to_owned();
    request(server, "GET", &format!("/reports/{id}"), "").await?;
    request(server, "GET", "/reports/01ARZ3NDEKTSV4RRFFQ69G5FAV", "").await?;
    request(server, "GET", "/reports/not-an-id", "").await?;
    // Ordered just before the end. If it has begun, the runner finishes it; if not, it waits in the
    // database for the next start.
    request(server, "POST", "/reports", r#"{"month":4}"#).await?;
    Ok(())
}

/// One HTTP request without a client library; prints both ends and returns the body.
async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    let (length, host) = (body.len(), server);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.lines().next().unwrap_or_default();
    println!("{method} {path} -> {} {body}", status.trim_start_matches("HTTP/1.1 "));
    Ok(body.to_owned())
}
