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
        self.push(LogLine::new(self.next_n, clock::now(), level, text));
    }

    /// Like [`log`](Self::log), and lets `hear` know the line.
    pub(super) fn log_aloud(&mut self, level: LogLevel, text: String, hear: &dyn Fn(&LogLine)) {
        let line = LogLine::new(self.next_n, clock::now(), level, text);
        hear(&line);
        self.push(line);
    }

    fn push(&mut self, line: LogLine) {
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

    /// What is not stored yet. Said again until it is, because a reply may be lost; a store keeps a
    /// line of the same number once.
    pub(super) fn unreported(&self) -> (Option<Progress>, Vec<LogLine>) {
        let mut lines: Vec<_> = self.lines.iter().cloned().collect();
        if self.dropped > 0
            && let Some(oldest) = lines.first_mut()
        {
            // Its number and time stand for all that are missing before it, and for itself.
            let text =
                format!("… [{} lines dropped: too many at once]", u64::from(self.dropped) + 1);
            *oldest = LogLine::new(oldest.n, oldest.at, LogLevel::Info, text);
        }
        (self.progress, lines)
    }

    /// The progress, and the lines up to this number, are stored.
    pub(super) fn reported(&mut self, progress: Option<Progress>, up_to: Option<u32>) {
        if self.progress == progress {
            self.progress = None;
        }
        let Some(up_to) = up_to else { return };
        while self.lines.front().is_some_and(|line| line.n <= up_to) {
            self.lines.pop_front();
            self.dropped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[LogLine]) -> Vec<(u32, &str)> {
        lines.iter().map(|line| (line.n, line.text.as_str())).collect()
    }

    #[test]
    fn lines_are_numbered_through_the_attempt_and_said_until_they_are_stored() {
        let mut said = Said::default();
        said.log(LogLevel::Info, "a".into());
        said.log(LogLevel::Error, "b".into());
        assert_eq!(texts(&said.unreported().1), [(0, "a"), (1, "b")]);
        said.log(LogLevel::Success, "c".into());
        assert_eq!(texts(&said.unreported().1), [(0, "a"), (1, "b"), (2, "c")]);
        said.reported(None, Some(1));
        assert_eq!(texts(&said.unreported().1), [(2, "c")]);
    }

    #[test]
    fn the_newest_lines_win_and_a_line_says_how_many_are_missing() {
        let mut said = Said::default();
        let most = LOG_LINES_MAX;
        for n in 0..most + 5 {
            said.log(LogLevel::Info, format!("line {n}"));
        }
        let (_, lines) = said.unreported();
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
        assert_eq!(said.unreported().1[0].text, "0");
    }

    #[test]
    fn progress_is_said_until_it_is_stored_and_the_last_word_counts() {
        let at = |done| Progress { done, total: 9 };
        let mut said = Said::default();
        assert_eq!(said.unreported().0, None);
        said.progress(at(1));
        said.progress(at(2));
        assert_eq!(said.unreported().0, Some(at(2)));
        said.progress(at(3));
        said.reported(Some(at(2)), None);
        assert_eq!(said.unreported().0, Some(at(3)), "it went on meanwhile");
        said.reported(Some(at(3)), None);
        assert_eq!(said.unreported().0, None);
    }
}
