//! The page that names which cases notice which planted bug, and the test that it is true.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::Case;

/// So many cases are named of those that notice a bug.
const ENOUGH: usize = 3;
/// So many bugs are tried side by side.
const AT_ONCE: usize = 4;

/// A planted bug, as a page has it.
pub(super) struct Bug<'a> {
    /// What the row of the page begins with: its cells but for the last.
    pub(super) row: String,
    /// The cases that may notice it.
    pub(super) cases: Vec<Case>,
    /// Whether a case does.
    pub(super) notices: Box<dyn Fn(&Case) -> bool + Send + Sync + 'a>,
}

/// Tries that the page is true: it has these bugs and no others, and of the cases that it names for each
/// one fails at least. Writes it, with the first cases that fail, where `TASKSTORE_WRITE_DOCS` is set.
///
/// Not which case is the first: whether one notices may hang on how many milliseconds a statement took.
///
/// # Panics
/// If it is not true.
pub(super) fn keep(path: &Path, head: &str, bugs: &[Bug<'_>]) {
    let name = path.file_name().unwrap_or_default().display();
    let writes = std::env::var_os("TASKSTORE_WRITE_DOCS").is_some();
    let page = fs::read_to_string(path).unwrap_or_default();
    let caught = on_threads(bugs, |bug| {
        if writes {
            return first(bug, &bug.cases, ENOUGH);
        }
        let named = row(&page, bug).unwrap_or_default();
        let is_named = |case: &&Case| named.contains(&format!("`{}`", case.name));
        first(bug, &bug.cases.iter().filter(is_named).copied().collect::<Vec<_>>(), 1)
    });
    let each = || bugs.iter().zip(&caught);
    if writes {
        let rows = each().map(|(bug, by)| format!("{}{} |\n", bug.row, cell(by)));
        let written = fs::write(path, format!("{head}{}", rows.collect::<String>()));
        assert!(written.is_ok(), "{name}: {written:?}");
    } else {
        let rows = page.strip_prefix(head).map(|rows| rows.lines().count());
        let is_whole = bugs.iter().all(|bug| row(&page, bug).is_some());
        assert!(
            rows == Some(bugs.len()) && is_whole,
            "{name} is out of date: run `cargo xtask docs`"
        );
    }
    let missed: Vec<_> = each().filter(|(_, by)| by.is_empty()).map(|(bug, _)| &bug.row).collect();
    assert!(missed.is_empty(), "no case that {name} names notices {missed:#?}");
}

/// What the page says of a bug.
fn row<'a>(page: &'a str, bug: &Bug<'_>) -> Option<&'a str> {
    page.lines().find_map(|line| line.strip_prefix(&bug.row))
}

fn cell(cases: &[&str]) -> String {
    cases.iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join("<br>")
}

fn first(bug: &Bug<'_>, cases: &[Case], enough: usize) -> Vec<&'static str> {
    cases.iter().filter(|case| (bug.notices)(case)).map(|case| case.name).take(enough).collect()
}

/// The answer for each, in their order.
fn on_threads<T: Sync, R: Send>(of: &[T], answer: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = of.get(index) else { return };
                    let answer = answer(one);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    const HEAD: &str = "# Bugs\n\n| bug | by |\n|---|---|\n";

    fn bug(notices: &'static str) -> Bug<'static> {
        Bug {
            row: "| it bites | ".to_owned(),
            cases: cases(),
            notices: Box::new(move |case| case.name == notices),
        }
    }

    /// What becomes of a page with this row.
    fn kept(row: &str, bugs: &[Bug<'_>]) -> thread::Result<()> {
        let path = std::env::temp_dir().join(format!("page-{:?}.md", thread::current().id()));
        fs::write(&path, format!("{HEAD}{row}")).unwrap();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            keep(&path, HEAD, bugs);
        }));
        fs::remove_file(path).unwrap();
        done
    }

    #[test]
    fn a_page_is_true_when_one_of_the_cases_that_it_names_notices() {
        let [one, other] = [cases()[0].name, cases()[1].name];
        let row = format!("| it bites | `{one}`<br>`{other}` |\n");
        assert!(kept(&row, &[bug(other)]).is_ok());
        assert!(kept(&row, &[bug(cases()[2].name)]).is_err(), "a case that it does not name");
        assert!(kept(&row, &[]).is_err(), "a bug that is not there any more");
        assert!(kept("", &[bug(one)]).is_err(), "a bug that it does not have");
    }
}
