//! Every case at a size that means nothing, by the program itself: they work, and say what they
//! promise to say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use taskstore_bench::{Figure, Line, Place, Plan, Progress, Report, Size, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskstore-bench");

async fn tiny() -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.db");
    let url = format!("sqlite://{}?synchronous=normal", file.display());
    let mut places = [Place::at(&url).await.unwrap()];
    let plan = Plan::new(Size::Tiny, None);
    let mut heard = 0;
    let hear = |progress| heard += usize::from(matches!(progress, Progress::Ended(_)));
    let report = run(&plan, &mut places, Path::new(PROGRAM), hear).await.unwrap();
    assert_eq!(heard, plan.cases.len(), "progress is told of each case");
    drop(places);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    report
}

fn case<'a>(report: &'a Report, name: &str) -> &'a Line {
    report.engines.iter().flat_map(|found| &found.lines).find(|line| line.case == name).unwrap()
}

fn median(line: &Line, figure: Figure) -> f64 {
    line.figures.get(&figure).unwrap_or_else(|| panic!("{}: no {figure:?}", line.case)).median
}

#[tokio::test]
async fn every_case_runs_and_gives_its_figures() {
    let report = tiny().await;
    let all_wrote = [
        ("enqueue, 1 caller", 1.0),
        ("enqueue, 64 callers", 64.0),
        ("enqueue, 1,000 at once", 1_000.0),
        ("drain, 10 B", 300.0),
        ("drain, 10 B, 4 processes", 300.0),
        ("drain, 1 kB", 200.0),
        ("drain, 10 kB", 100.0),
        ("naive, 10 B", 1.0),
    ];
    for (name, least) in all_wrote {
        let line = case(&report, name);
        assert!(line.samples[0].tasks as f64 >= least, "{line:?}");
        assert!(median(line, Figure::TasksPerSecond) > 0.0, "{name}");
        assert!(line.durability == "synchronous=NORMAL", "{line:?}");
    }
    for name in
        ["drain, 10 B", "drain, 10 B, 4 processes", "drain, 1 kB", "drain, 10 kB", "naive, 10 B"]
    {
        assert_eq!(median(case(&report, name), Figure::Duplicates), 0.0, "{name}");
    }
    for name in ["pick-up, in process", "pick-up, across processes"] {
        let line = case(&report, name);
        assert!(median(line, Figure::P99Millis) >= median(line, Figure::P50Millis), "{line:?}");
    }
    assert!(median(report.disk.as_ref().unwrap(), Figure::P50Millis) > 0.0);
    assert_eq!(report.engines[0].ratios.len(), 6);
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
