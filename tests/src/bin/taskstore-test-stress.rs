//! The participants of a stress in a process of their own: asks one SQLite file for everything that
//! may be asked, and prints what it saw as JSON.
//!
//! `taskstore-test-stress PATH OPTIONS`, the options as JSON.

use std::{error::Error, io::Write as _, sync::Arc};

use taskstore_conformance::stress::{Options, workers};
use taskstore_core::Backend;
use taskstore_sqlite::{SqliteBackend, SqliteOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, options] = arguments.as_slice() else {
        return Err("usage: taskstore-test-stress PATH OPTIONS".into());
    };
    let options: Options = serde_json::from_str(options)?;
    let backend: Arc<dyn Backend> = Arc::new(SqliteBackend::open(SqliteOptions::new(path)).await?);
    let history = workers(&[backend], options).await.map_err(|failures| failures.join("\n"))?;
    std::io::stdout().lock().write_all(&serde_json::to_vec(&history)?)?;
    Ok(())
}
