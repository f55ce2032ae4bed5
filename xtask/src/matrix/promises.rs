//! Which case of the suite proves which promise, as docs/promises.md says. That page is made from
//! the cases, and a test fails when it is not as they say; reading it spares this program the
//! build of the suite.

use std::collections::BTreeMap;

/// The cases of each promise that has any.
#[derive(Debug)]
pub(crate) struct Promises(BTreeMap<String, Vec<String>>);

impl Promises {
    /// Reads the rows of the page: ``| **`id`** sentence | `noun::case`<br>`noun::case` |``.
    pub(crate) fn read(page: &str) -> Self {
        let mut promises = BTreeMap::new();
        for line in page.lines() {
            let Some(row) = line.strip_prefix("| **`") else { continue };
            let Some((id, rest)) = row.split_once("`**") else { continue };
            let Some((_, proofs)) = rest.rsplit_once(" | ") else { continue };
            let cases: Vec<String> = proofs
                .trim_end_matches('|')
                .split("<br>")
                .filter_map(|proof| proof.trim().strip_prefix('`')?.strip_suffix('`'))
                .filter(|name| name.contains("::"))
                .map(str::to_owned)
                .collect();
            if !cases.is_empty() {
                promises.insert(id.to_owned(), cases);
            }
        }
        Self(promises)
    }

    /// How many promises have a case.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The promises with a case that is not among those that passed.
    pub(crate) fn not_held<'a>(&'a self, passed: &'a [String]) -> impl Iterator<Item = &'a str> {
        let held = |cases: &[String]| cases.iter().all(|case| passed.contains(case));
        self.0.iter().filter(move |(_, cases)| !held(cases)).map(|(id, _)| id.as_str())
    }

    /// Every case that proves something.
    pub(crate) fn cases(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::metadata::root;

    #[test]
    fn a_promise_is_held_when_all_of_its_cases_passed() {
        let page = "| promise | proven by |\n|---|---|\n\
            | **`a.one`** It is `so` | or so. | `x::given_one`<br>`y::given_two` |\n\
            | **`a.two`** Elsewhere. | `runner_stops` in [a](../a.rs) |\n\
            | **`a.three`** Both. | `x::given_one`<br>`runner_stops` in [a](../a.rs) |\n";
        let promises = Promises::read(page);
        assert_eq!(promises.count(), 2);
        let passed = ["x::given_one".to_owned()];
        assert_eq!(promises.not_held(&passed).collect::<Vec<_>>(), ["a.one"]);
        assert_eq!(promises.cases().count(), 3);
    }

    #[test]
    fn the_page_of_this_repository_is_understood() {
        let page = fs::read_to_string(root().join("docs/promises.md")).unwrap();
        let promises = Promises::read(&page);
        let named = page.lines().filter(|line| line.contains("`** ") && line.contains("::given"));
        assert_eq!(promises.count(), named.count());
        assert!(promises.count() > 100);
    }
}
