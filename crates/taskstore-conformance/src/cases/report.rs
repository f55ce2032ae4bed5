//! What running tasks say meanwhile.

use taskstore_core::{
    LogLevel, LogLine, Progress, Status, TaskId,
    backend::{Fate, Lease, Report, Settlement},
    limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX},
};

use crate::context::{Context, at, line, ok, release, success};

cases! { "report":
    given_progress_when_reported_then_people_see_it ["report.progress"];
    given_no_progress_when_reported_then_the_last_one_is_kept ["report.progress"];
    given_lines_when_reported_then_they_are_kept_in_order_with_level_and_time ["look.log"];
    given_a_line_sent_again_when_reported_then_it_is_kept_once ["report.line_once"];
    given_lines_reported_before_when_settled_with_them_then_they_are_kept_once
        ["report.line_once" "settle.says"];
    given_the_same_number_in_another_attempt_when_reported_then_both_are_kept
        ["report.line_once" "look.log"];
    given_too_many_lines_when_reported_then_the_newest_of_the_attempt_are_kept
        ["report.newest"];
    given_too_many_lines_when_settled_then_the_newest_of_the_attempt_are_kept
        ["report.newest" "settle.says"];
    given_a_page_when_the_log_is_read_then_it_skips_and_limits ["look.log"];
    given_no_right_when_reported_then_lost_and_nothing_is_written
        ["report.fenced" "fence.turn"];
    given_held_and_lost_tasks_when_reported_then_by_position
        ["report.fenced" "answers.by_position"];
    given_a_report_when_made_then_the_lease_and_the_turn_stay ["turn.when" "report.fenced"];
    given_hostile_lines_when_reported_then_they_come_back_as_they_were
        ["input.text" "look.log"];
}

fn says(lease: Lease, log: Vec<LogLine>) -> Report {
    Report { lease, progress: None, log }
}

const RUNNING: Fate = Fate::Applied { status: Status::Running };

async fn given_progress_when_reported_then_people_see_it(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    assert_eq!(c.task(id).await.progress, None);
    for (done, total) in [(0, 10), (7, 10), (u64::from(u32::MAX), 1 << 40)] {
        let progress = Some(Progress { done, total });
        let report = Report { lease: running.lease, progress, log: Vec::new() };
        assert_eq!(c.report(report).await, RUNNING);
        assert_eq!(c.task(id).await.progress, progress);
    }
}

async fn given_no_progress_when_reported_then_the_last_one_is_kept(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    let progress = Some(Progress { done: 1, total: 2 });
    c.report(Report { lease: running.lease, progress, log: Vec::new() }).await;
    c.report(says(running.lease, vec![line(0, "on")])).await;
    assert_eq!(c.task(id).await.progress, progress);
    c.end(running.lease, success(), Status::Success).await;
    assert_eq!(c.task(id).await.progress, progress);
}

async fn given_lines_when_reported_then_they_are_kept_in_order_with_level_and_time(c: &Context) {
    let running = c.running().await;
    let lines = vec![
        LogLine::new(0, at(1), LogLevel::Info, "one".into()),
        LogLine::new(1, at(1), LogLevel::Success, "two".into()),
        LogLine::new(2, at(-9), LogLevel::Error, String::new()),
    ];
    c.report(says(running.lease, lines[..2].to_vec())).await;
    c.report(says(running.lease, lines[2..].to_vec())).await;
    let kept = ok("log", c.backend().log(running.lease.task, 0, 100).await);
    assert_eq!(kept, lines);
}

async fn given_a_line_sent_again_when_reported_then_it_is_kept_once(c: &Context) {
    let running = c.running().await;
    let report = says(running.lease, vec![line(0, "a"), line(1, "b")]);
    for _ in 0..3 {
        assert_eq!(c.report(report.clone()).await, RUNNING);
    }
    c.report(says(running.lease, vec![line(1, "b"), line(2, "c")])).await;
    assert_eq!(c.log(running.lease.task).await, ["a", "b", "c"]);
}

async fn given_lines_reported_before_when_settled_with_them_then_they_are_kept_once(c: &Context) {
    let running = c.running().await;
    c.report(says(running.lease, vec![line(0, "a"), line(1, "b")])).await;
    let mut end = Settlement::new(running.lease, success());
    end.log = vec![line(1, "b"), line(2, "c")];
    c.end_one(end, Status::Success, at(1)).await;
    assert_eq!(c.log(running.lease.task).await, ["a", "b", "c"]);
}

async fn given_the_same_number_in_another_attempt_when_reported_then_both_are_kept(c: &Context) {
    let first = c.running().await;
    c.report(says(first.lease, vec![line(0, "first")])).await;
    c.end(first.lease, release(), Status::Queued).await;
    let second = c.take_one().await;
    c.report(says(second.lease, vec![line(0, "second")])).await;
    assert_eq!(c.log(first.lease.task).await, ["first", "second"]);
}

/// One more hundred than are kept, and the texts of those that are.
fn too_many() -> (Vec<LogLine>, Vec<String>) {
    let lines: Vec<_> = (0..LOG_LINES_MAX + 100).map(|n| line(n, &format!("line {n}"))).collect();
    let kept = lines[100..].iter().map(|line| line.text.clone()).collect();
    (lines, kept)
}

async fn given_too_many_lines_when_reported_then_the_newest_of_the_attempt_are_kept(c: &Context) {
    let running = c.running().await;
    let (lines, kept) = too_many();
    for some in lines.chunks(550) {
        c.report(says(running.lease, some.to_vec())).await;
    }
    assert_eq!(c.log(running.lease.task).await, kept);
    c.end(running.lease, release(), Status::Queued).await;
    let again = c.take_one().await;
    c.report(says(again.lease, vec![line(0, "again")])).await;
    let log = c.log(running.lease.task).await;
    assert_eq!(log.len(), kept.len() + 1, "of each attempt");
}

async fn given_too_many_lines_when_settled_then_the_newest_of_the_attempt_are_kept(c: &Context) {
    let running = c.running().await;
    let (lines, kept) = too_many();
    let mut end = Settlement::new(running.lease, success());
    end.log = lines;
    c.end_one(end, Status::Success, at(1)).await;
    assert_eq!(c.log(running.lease.task).await, kept);
}

async fn given_a_page_when_the_log_is_read_then_it_skips_and_limits(c: &Context) {
    let running = c.running().await;
    let lines = (0..10).map(|n| line(n, &n.to_string())).collect();
    c.report(says(running.lease, lines)).await;
    let page = async |skip, limit| {
        let lines = ok("log", c.backend().log(running.lease.task, skip, limit).await);
        lines.into_iter().map(|line| line.n).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3).await, [0, 1, 2]);
    assert_eq!(page(3, 4).await, [3, 4, 5, 6]);
    assert_eq!(page(8, 100).await, [8, 9]);
    assert!(page(10, 5).await.is_empty() && page(0, 0).await.is_empty());
    assert!(c.log(TaskId::new()).await.is_empty());
}

async fn given_no_right_when_reported_then_lost_and_nothing_is_written(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let old = batch[0].lease;
    c.end(old, release(), Status::Queued).await;
    let waiting = c.whole(old.task).await;
    let progress = Some(Progress { done: 9, total: 9 });
    let report = Report { lease: old, progress, log: vec![line(0, "stale")] };
    assert_eq!(c.report(report.clone()).await, Fate::Lost, "while it waits");
    assert_eq!(c.whole(old.task).await, waiting);
    let present = c.take_one().await;
    let running = c.whole(old.task).await;
    assert_eq!(c.report(report.clone()).await, Fate::Lost, "while another runs it");
    assert_eq!(c.whole(old.task).await, running);
    c.end(present.lease, success(), Status::Success).await;
    assert_eq!(c.report(says(present.lease, vec![line(0, "late")])).await, Fate::Lost);
    assert!(c.log(old.task).await.is_empty(), "after its end");
}

async fn given_held_and_lost_tasks_when_reported_then_by_position(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    c.end(batch[1].lease, success(), Status::Success).await;
    let reports: Vec<_> =
        batch.iter().map(|task| says(task.lease, vec![line(0, "said")])).collect();
    let fates = ok("report", c.backend().report(&reports).await);
    assert_eq!(fates, [RUNNING, Fate::Lost, RUNNING]);
    assert_eq!(c.log(batch[2].lease.task).await, ["said"]);
    assert!(c.log(batch[1].lease.task).await.is_empty());
    assert!(ok("report", c.backend().report(&[]).await).is_empty());
}

async fn given_a_report_when_made_then_the_lease_and_the_turn_stay(c: &Context) {
    let running = c.running().await;
    c.report(says(running.lease, vec![line(0, "on")])).await;
    assert_eq!(c.recall(running.lease.batch).await[0].lease, running.lease);
    c.end(running.lease, success(), Status::Success).await;
}

async fn given_hostile_lines_when_reported_then_they_come_back_as_they_were(c: &Context) {
    let running = c.running().await;
    let texts: Vec<String> = super::input::HOSTILE
        .into_iter()
        .map(str::to_owned)
        .chain(["x".repeat(LOG_LINE_BYTES_MAX), "🦀".repeat(LOG_LINE_BYTES_MAX / 4)])
        .collect();
    let lines = texts.iter().zip(0..).map(|(text, n)| line(n, text)).collect();
    c.report(says(running.lease, lines)).await;
    assert_eq!(c.log(running.lease.task).await, texts);
}
