//! What a handler said and nobody has stored yet.

use std::collections::VecDeque;

use serde_json::value::RawValue;

use crate::{LogLevel, LogLine, Progress, clock, limits::LOG_LINES_MAX};

/// Log lines, progress and output of one attempt.
///
/// Bounded: a handler that logs faster than its lines are stored keeps the newest.
#[derive(Default)]
pub(super) struct Said {
    lines: VecDeque<LogLine>,
    next_n: u32,
    dropped: u32,
    progress: Option<Progress>,
    output: Option<Box<RawValue>>,
}

impl Said {
    pub(super) fn log(&mut self, level: LogLevel, text: String) {
        let line = LogLine::new(self.next_n, clock::now(), level, text);
        self.next_n = self.next_n.saturating_add(1);
        if self.lines.len() >= LOG_LINES_MAX as usize {
            self.lines.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.lines.push_back(line);
    }

    pub(super) fn progress(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    pub(super) fn output(&mut self, output: Option<Box<RawValue>>) {
        self.output = output;
    }

    pub(super) fn take_output(&mut self) -> Option<Box<RawValue>> {
        self.output.take()
    }

    /// What was not taken yet.
    pub(super) fn take_report(&mut self) -> (Option<Progress>, Vec<LogLine>) {
        let dropped = std::mem::take(&mut self.dropped);
        let mut lines = Vec::from(std::mem::take(&mut self.lines));
        if dropped > 0
            && let Some(oldest) = lines.first_mut()
        {
            // Its number and time stand for all that are missing before it, and for itself.
            let text = format!("… [{} lines dropped: too many at once]", u64::from(dropped) + 1);
            *oldest = LogLine::new(oldest.n, oldest.at, LogLevel::Info, text);
        }
        (self.progress.take(), lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[LogLine]) -> Vec<(u32, &str)> {
        lines.iter().map(|line| (line.n, line.text.as_str())).collect()
    }

    #[test]
    fn lines_are_numbered_through_the_attempt_and_taken_once() {
        let mut said = Said::default();
        said.log(LogLevel::Info, "a".into());
        said.log(LogLevel::Error, "b".into());
        assert_eq!(texts(&said.take_report().1), [(0, "a"), (1, "b")]);
        assert!(said.take_report().1.is_empty());
        said.log(LogLevel::Success, "c".into());
        assert_eq!(texts(&said.take_report().1), [(2, "c")]);
    }

    #[test]
    fn the_newest_lines_win_and_a_line_says_how_many_are_missing() {
        let mut said = Said::default();
        let most = LOG_LINES_MAX;
        for n in 0..most + 5 {
            said.log(LogLevel::Info, format!("line {n}"));
        }
        let (_, lines) = said.take_report();
        assert_eq!(lines.len(), most as usize);
        let (first, last) = (&lines[0], &lines[lines.len() - 1]);
        assert_eq!((first.n, &*first.text), (5, "… [6 lines dropped: too many at once]"));
        assert_eq!((last.n, &*last.text), (most + 4, &*format!("line {}", most + 4)));
        assert!(lines.is_sorted_by_key(|line| line.n));
    }

    #[test]
    fn a_full_buffer_that_lost_nothing_is_not_marked() {
        let mut said = Said::default();
        for n in 0..LOG_LINES_MAX {
            said.log(LogLevel::Info, n.to_string());
        }
        assert_eq!(said.take_report().1[0].text, "0");
    }

    #[test]
    fn progress_is_taken_when_it_changed_and_the_last_word_counts() {
        let mut said = Said::default();
        assert_eq!(said.take_report().0, None);
        said.progress(Progress { done: 1, total: 9 });
        said.progress(Progress { done: 2, total: 9 });
        assert_eq!(said.take_report().0, Some(Progress { done: 2, total: 9 }));
        assert_eq!(said.take_report().0, None);
    }
}
