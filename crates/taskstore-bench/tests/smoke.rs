//! The bench on SQLite.

mod common;

use common::check_every_case;
use taskstore_bench::{Place, Plan, Size, run};

#[tokio::test]
async fn every_case_runs_and_gives_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.db");
    let url = format!("sqlite://{}?synchronous=normal", file.display());
    let report = check_every_case(Place::at(&url).await.unwrap(), 1.0).await;
    assert!(report.engines[0].lines.iter().all(|line| line.durability == "synchronous=NORMAL"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_part_that_fails_ends_the_run_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let mut places = [Place::at(&url).await.unwrap()];
    let nothing = folder.path().join("no-such-program");
    let plan = Plan::new(Size::Tiny, None);
    let error = run(&plan, &mut places, &nothing, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("no-such-program"), "{error}");
}
