//! The bench on servers, where a test run names them; elsewhere each is ignored, and says why.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::env;

use common::{case, check_every_case, median};
use libtest_mimic::{Arguments, Trial};
use taskstore_bench::{Figure, Place};

const POSTGRES: &str = "TASKSTORE_TEST_POSTGRES_URL";
const MYSQL: &str = "TASKSTORE_TEST_MYSQL_URL";

fn main() {
    let trials = [POSTGRES, MYSQL].map(|variable| {
        let url = env::var(variable).ok();
        let engine = if variable == POSTGRES { "postgres" } else { "mysql" };
        let needs = if url.is_some() { String::new() } else { format!(" [needs {variable}]") };
        let name = format!("every_case_runs_and_gives_its_figures_on_{engine}{needs}");
        let ignored = url.is_none();
        let run = move || {
            on(&url.unwrap_or_default(), engine);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

#[tokio::main]
async fn on(url: &str, engine: &str) {
    let report = check_every_case(Place::at(url).await.unwrap(), 3.0).await;
    let drain = case(&report, "drain, 10 B, 4 processes");
    assert_eq!(median(drain, Figure::Deadlocks), 0.0);
    if engine == "postgres" {
        assert!((0.0..=100.0).contains(&median(drain, Figure::HotPercent)), "{drain:?}");
    } else {
        assert!(median(drain, Figure::StatementsPerTask) > 0.0, "{drain:?}");
    }
    assert!(median(case(&report, "idle runner"), Figure::CommitsPerSecond) >= 0.0);
}
