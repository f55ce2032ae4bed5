//! A prefix before the names of a store's tables.

/// The names that migrations make, so that a prefix can be put before them.
///
/// Only before these, and only where they are words of their own: a comment, a quoted text and
/// everything else stays. So no statement is built of a caller's text, but for the prefix, which is
/// checked when it is set.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Tables, indexes, sequences, functions, triggers.
    pub tables: &'static [&'static str],
    /// The view. Columns may be called so too, so it is told from them by the word before it.
    pub view: &'static str,
}

/// The words that a view's name comes after.
const BEFORE_VIEW: &[&str] = &["VIEW", "FROM", "JOIN", "EXISTS"];

impl Names {
    /// The statement with the prefix before each of the names.
    #[must_use]
    pub fn with_prefix(&self, text: &str, prefix: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16 * prefix.len());
        let mut rest = text;
        let mut before = String::new();
        while let Some(first) = rest.chars().next() {
            let end = token_end(rest, first);
            let (token, tail) = rest.split_at(end);
            let is_word = first.is_ascii_alphabetic() || first == '_';
            if is_word && self.are(token, &before) {
                out.push_str(prefix);
            }
            out.push_str(token);
            if is_word || !(first.is_whitespace() || token.starts_with("--")) {
                token.clone_into(&mut before);
            }
            rest = tail;
        }
        out
    }

    /// Whether this word is one of them.
    fn are(&self, word: &str, before: &str) -> bool {
        self.tables.contains(&word)
            || (word == self.view && BEFORE_VIEW.contains(&before.to_ascii_uppercase().as_str()))
    }
}

/// Where the token that begins here ends: a word, a quoted text, a comment, or one character.
fn token_end(text: &str, first: char) -> usize {
    let at = |found: Option<usize>| found.unwrap_or(text.len());
    if first.is_ascii_alphanumeric() || first == '_' {
        at(text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
    } else if first == '\'' || first == '"' {
        text.char_indices().skip(1).find(|&(_, c)| c == first).map_or(text.len(), |(i, _)| i + 1)
    } else if text.starts_with("--") {
        at(text.find('\n'))
    } else {
        first.len_utf8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names { tables: &["task_queue"], view: "task" };

    #[test]
    fn a_prefix_goes_before_the_projects_own_names_and_nothing_else() {
        assert_eq!(
            NAMES.with_prefix(
                "-- task_queue\nSELECT task,'task_queue' FROM task_queue q JOIN task t ON t.task=q.seq; DROP VIEW IF EXISTS task;",
                "app_"
            ),
            "-- task_queue\nSELECT task,'task_queue' FROM app_task_queue q JOIN app_task t ON t.task=q.seq; DROP VIEW IF EXISTS app_task;"
        );
        assert_eq!(
            NAMES.with_prefix("SELECT 1 FROM task_queue_mine, my_task_queue", "app_"),
            "SELECT 1 FROM task_queue_mine, my_task_queue"
        );
    }
}
