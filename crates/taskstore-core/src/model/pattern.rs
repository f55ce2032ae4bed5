//! Which queues are meant: one by its name, or all whose names look alike.

use std::{fmt, str::FromStr, sync::Arc};

use super::name::{QueueName, check};
use crate::{Error, Result, limits::QUEUE_CHARS_MAX};

/// One queue, or all whose names match: 1 to 64 visible ASCII characters, of which each `*` stands
/// for any number of any characters and everything else for itself. Cheap to clone.
///
/// ```
/// # use taskstore_core::{QueueName, QueuePattern};
/// let mail = QueuePattern::new("mail-*").unwrap();
/// assert!(mail.matches(&QueueName::new("mail-eu").unwrap()));
/// assert!(!mail.matches(&QueueName::new("mail").unwrap()));
/// assert_eq!(QueuePattern::new("").unwrap_err().to_string(), "queue pattern is not valid: it is empty");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct QueuePattern(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    /// This name; a `*` in it is only a `*`.
    Name(QueueName),
    Glob(Arc<str>),
}

/// What one place of a pattern stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    This(u8),
    AnyNumberOfAny,
}

impl QueuePattern {
    /// Checks the pattern. One without a `*` means the queue of that name.
    ///
    /// # Errors
    /// [`Error::Invalid`] with field `queue pattern` for anything but 1 to 64 visible ASCII characters.
    pub fn new(pattern: &str) -> Result<Self> {
        check("queue pattern", pattern, QUEUE_CHARS_MAX)?;
        if pattern.contains('*') {
            return Ok(Self(Kind::Glob(pattern.into())));
        }
        Ok(Self(Kind::Name(QueueName::new(pattern)?)))
    }

    /// Every queue.
    #[must_use]
    pub fn all() -> Self {
        Self(Kind::Glob("*".into()))
    }

    /// The one queue that is meant, if it is one.
    #[must_use]
    pub const fn name(&self) -> Option<&QueueName> {
        match &self.0 {
            Kind::Name(name) => Some(name),
            Kind::Glob(_) => None,
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Name(name) => name.as_str(),
            Kind::Glob(text) => text,
        }
    }

    /// Whether this queue is meant.
    #[must_use]
    pub fn matches(&self, queue: &QueueName) -> bool {
        match &self.0 {
            Kind::Name(name) => name == queue,
            Kind::Glob(text) => glob(text.as_bytes(), queue.as_str().as_bytes()),
        }
    }

    /// Whether there can be a queue that both mean.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.letters(), other.letters());
        // Whether what is left of ours and theirs, from the end on, can be the same text. A row is
        // what is left of ours, with a place for each that is left of theirs.
        let empty = |letters: &[Letter]| letters.iter().all(|l| *l == Letter::AnyNumberOfAny);
        let tails = |letters: &[Letter]| -> Vec<bool> {
            (0..=letters.len()).map(|from| empty(letters.get(from..).unwrap_or_default())).collect()
        };
        let mut row = tails(&theirs);
        for (from, letter) in ours.iter().enumerate().rev() {
            let mut next = vec![empty(ours.get(from..).unwrap_or_default())];
            for (place, their) in theirs.iter().enumerate().rev() {
                // `row` has less of ours, `next` is built from the end of theirs.
                let without_ours = row.get(place).copied().unwrap_or_default();
                let without_both = row.get(place + 1).copied().unwrap_or_default();
                let without_theirs = next.last().copied().unwrap_or_default();
                next.push(match (letter, their) {
                    (Letter::This(our), Letter::This(their)) => our == their && without_both,
                    _ => without_ours || without_theirs,
                });
            }
            next.reverse();
            row = next;
        }
        row.first().copied().unwrap_or_default()
    }

    fn letters(&self) -> Vec<Letter> {
        let is_glob = self.name().is_none();
        let letter = |byte| match byte {
            b'*' if is_glob => Letter::AnyNumberOfAny,
            byte => Letter::This(byte),
        };
        self.as_str().bytes().map(letter).collect()
    }
}

/// Whether the text is what the pattern says. Goes back to the last `*` at most.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut next) = (0, 0);
    // The last `*`, and where the text goes on that it does not stand for.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&letter) = text.get(next) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(&wanted) if wanted == letter => (at, next) = (at + 1, next + 1),
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, next) = (place + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == b'*')
}

impl From<QueueName> for QueuePattern {
    fn from(name: QueueName) -> Self {
        Self(Kind::Name(name))
    }
}

impl FromStr for QueuePattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl fmt::Display for QueuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for QueuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> QueuePattern {
        QueuePattern::new(text).unwrap()
    }

    fn named(text: &str) -> QueuePattern {
        QueueName::new(text).unwrap().into()
    }

    #[test]
    fn a_star_stands_for_any_number_of_any_characters() {
        for (text, queue, expected) in [
            ("*", "a", true),
            ("mail-*", "mail-", true),
            ("mail-*", "mail-eu", true),
            ("mail-*", "mail", false),
            ("*-eu", "mail-eu", true),
            ("*-eu", "mail-eu-1", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("**a**", "bab", true),
            ("*ab", "aab", true),
            ("*aab", "aaab", true),
            ("mail", "mail", true),
            ("mail", "mail2", false),
            ("[a]?.*", "[a]?.x", true),
            ("[a]?.*", "ab.x", false),
        ] {
            let queue = QueueName::new(queue).unwrap();
            assert_eq!(pattern(text).matches(&queue), expected, "{text} {queue}");
        }
    }

    #[test]
    fn a_star_in_a_queues_own_name_is_only_a_star() {
        let star = named("a*");
        assert!(star.matches(&QueueName::new("a*").unwrap()));
        assert!(!star.matches(&QueueName::new("ab").unwrap()));
        assert!(pattern("a*").matches(&QueueName::new("a*").unwrap()));
    }

    #[test]
    fn patterns_overlap_when_some_queue_could_match_both() {
        for (one, other, expected) in [
            ("*", "a", true),
            ("*", "a*", true),
            ("a*", "b*", false),
            ("a*", "*b", true),
            ("a*b", "b*a", false),
            ("mail-*", "mail", false),
            ("mail-*", "mail-eu", true),
            ("a*c", "ab*", true),
            ("a*c", "ab", false),
            ("a*b*c", "a*x*c", true),
            ("ab*", "ac*", false),
            ("a", "a", true),
            ("a", "b", false),
            ("*a", "*b", false),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(other)), expected, "{one} {other}");
            assert_eq!(pattern(other).overlaps(&pattern(one)), expected, "{other} {one}");
        }
        assert!(!named("a*").overlaps(&named("ab")));
        assert!(named("a*").overlaps(&pattern("a*")));
        assert!(!named("a*").overlaps(&pattern("ab*")));
    }

    #[test]
    fn hostile_patterns_are_refused() {
        for text in ["", " ", "a\0*", "ä*", &"*".repeat(65)] {
            assert!(QueuePattern::new(text).is_err(), "{text:?}");
        }
        assert!(QueuePattern::new(&"*".repeat(64)).is_ok());
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_in_no_time() {
        let text = format!("{}b", "*a".repeat(31));
        let queue = QueueName::new(&"a".repeat(64)).unwrap();
        assert!(!pattern(&text).matches(&queue));
    }
}
