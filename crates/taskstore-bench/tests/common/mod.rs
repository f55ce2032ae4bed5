//! Every case at a size that means nothing, by the program itself: they work, and say what they
//! promise to say.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::Path;

use taskstore_bench::{Figure, Line, Place, Plan, Progress, Report, Size, run};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_taskstore-bench");

/// Runs every case at this place, and looks at what they gave; each measured at least so many tasks,
/// or one of so many of those that drain.
pub(crate) async fn check_every_case(place: Place, of_drained: f64) -> Report {
    let plan = Plan::new(Size::Tiny, None);
    let mut heard = 0;
    let hear = |progress| heard += usize::from(matches!(progress, Progress::Ended(_)));
    let report = run(&plan, &mut [place], Path::new(PROGRAM), hear).await.unwrap();
    assert_eq!(heard, plan.cases.len(), "progress is told of each case");

    for (name, least) in [
        ("enqueue, 1 caller", 1.0),
        ("enqueue, 64 callers", 64.0),
        ("enqueue, 1,000 at once", 1_000.0),
        ("drain, 10 B", 300.0 / of_drained),
        ("drain, 10 B, 4 processes", 300.0 / of_drained),
        ("drain, 1 kB", (200.0 / of_drained).floor()),
        ("drain, 10 kB", (100.0 / of_drained).floor()),
        ("naive, 10 B", 1.0),
    ] {
        let line = case(&report, name);
        assert!(line.samples[0].tasks as f64 >= least, "{line:?}");
        for figure in [Figure::TasksPerSecond, Figure::LogBytesPerTask, Figure::CommitsPerTask] {
            assert!(median(line, figure) > 0.0, "{name}: {figure:?}");
        }
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
    report
}

pub(crate) fn case<'a>(report: &'a Report, name: &str) -> &'a Line {
    report.engines.iter().flat_map(|found| &found.lines).find(|line| line.case == name).unwrap()
}

pub(crate) fn median(line: &Line, figure: Figure) -> f64 {
    line.figures.get(&figure).unwrap_or_else(|| panic!("{}: no {figure:?}", line.case)).median
}
