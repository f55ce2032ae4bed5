//! Bugs planted in the statements of an engine: what only SQL can get wrong.

use std::{fs, path::Path, sync::Arc, time::Duration};

use super::page::{Bug, keep};
use crate::{Case, Harness, cases, try_case};

/// A bug that makes a case hang is noticed then.
const DEADLINE: Duration = Duration::from_secs(60);

/// What to run instead of the text of a file, if it has the bug.
pub type Patch = fn(name: &str, text: &str) -> Option<String>;

/// One statement with a mistake; made by [`sql_mutants!`](crate::sql_mutants).
#[derive(Clone, Copy, Debug)]
pub struct SqlMutant {
    /// The mistake, in a sentence.
    pub what: &'static str,
    /// The name of the file, or of a text that is composed.
    pub file: &'static str,
    /// What is replaced.
    pub right: &'static str,
    /// Nouns or names of the cases to ask.
    pub cases: &'static [&'static str],
    /// Plants it.
    pub patch: Patch,
}

/// `sql_mutants! { "file": "right" => "wrong", "What goes wrong." ["noun" "noun::case"]; .. }`: a constant
/// `MUTANTS` of them.
#[macro_export]
macro_rules! sql_mutants {
    ($($file:literal: $right:literal => $wrong:literal, $what:literal [$($case:literal)+];)+) => {
        const MUTANTS: &[$crate::mutants::SqlMutant] = &[$($crate::mutants::SqlMutant {
            what: $what,
            file: $file,
            right: $right,
            cases: &[$($case),+],
            patch: |name, text| (name == $file).then(|| text.replacen($right, $wrong, 1)),
        }),+];
    };
}

impl SqlMutant {
    fn cases(&self) -> Vec<Case> {
        let noun = |case: &Case| case.name.split("::").next().unwrap_or_default();
        let asked = |wanted: &&'static str| {
            let is = |case: &Case| noun(case) == *wanted || case.name == *wanted;
            cases().into_iter().filter(is).collect::<Vec<_>>()
        };
        self.cases.iter().flat_map(asked).collect()
    }

    /// Whether a file of the crate in this folder has what is to be replaced, and there are cases.
    #[must_use]
    pub fn is_in_a_file(&self, manifest_dir: &str) -> bool {
        let file = |folder| Path::new(manifest_dir).join(folder).join(format!("{}.sql", self.file));
        let text = ["sql", "migrations"].map(|folder| fs::read_to_string(file(folder)).ok());
        text.into_iter().flatten().any(|text| text.contains(self.right)) && !self.cases().is_empty()
    }
}

/// Tries that a page of planted bugs is true, on stores that `harness` opens with each.
///
/// # Panics
/// If a bug is noticed by none of the cases that the page names, or the page has others.
pub fn notice_each(
    page: &Path,
    engine: &str,
    mutants: &[SqlMutant],
    harness: impl Fn(Patch) -> Arc<dyn Harness> + Sync,
) {
    let harness = &harness;
    let bugs = mutants.iter().map(|mutant| {
        let planted = harness(mutant.patch);
        Bug {
            row: format!("| {} | `{}` | ", mutant.what, mutant.file),
            cases: mutant.cases(),
            notices: Box::new(move |case: &Case| {
                try_case(Arc::clone(&planted), *case, DEADLINE).is_err()
            }),
        }
    });
    let head = format!(
        "# Bugs planted in the SQL of {engine}\n\n\
         <!-- Made by `cargo xtask docs`; do not edit. -->\n\n\
         Each test run plants these mistakes, one at a time, in the statements of {engine}, and fails when none \
         of the\ncases named notices. They were the first that did, at most three of them. Mistakes that any \
         engine could make are\nin [mutants.md](mutants.md).\n\n\
         | planted bug | in | noticed by |\n|---|---|---|\n"
    );
    keep(page, &head, &bugs.collect::<Vec<_>>());
}
