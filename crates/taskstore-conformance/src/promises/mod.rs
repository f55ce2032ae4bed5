//! What a store, and what runs on it, promises: each sentence once, with the tests that would fail
//! if it were false.
//!
//! The cases of the suite name the promises that they prove. What only a runner, the watcher or the
//! lifecycle can keep is proven by tests elsewhere in the workspace; [`ELSEWHERE`] names those.

mod elsewhere;
mod list;

pub use self::{
    elsewhere::{ELSEWHERE, Elsewhere},
    list::PROMISES,
};
use crate::Case;

/// One sentence that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What the tests call it: `noun.word`.
    pub id: &'static str,
    /// The sentence.
    pub says: &'static str,
}

/// Promises that no case and no test elsewhere proves.
#[must_use]
pub fn unproven(cases: &[Case]) -> Vec<&'static str> {
    let proven = |id| {
        cases.iter().any(|case| case.promises.contains(&id))
            || ELSEWHERE.iter().any(|test| test.promise == id)
    };
    PROMISES.iter().map(|promise| promise.id).filter(|id| !proven(*id)).collect()
}

/// Ids that a case or a test elsewhere names, but that no promise has.
#[must_use]
pub fn unknown(cases: &[Case]) -> Vec<&'static str> {
    let known = |id: &str| PROMISES.iter().any(|promise| promise.id == id);
    let named = cases.iter().flat_map(|case| case.promises).copied();
    named.chain(ELSEWHERE.iter().map(|test| test.promise)).filter(|id| !known(id)).collect()
}

/// The page that shows which tests prove which promise: Markdown.
#[must_use]
pub fn page(cases: &[Case]) -> String {
    let mut page = format!(
        "# Promises\n\n\
         <!-- Made by `cargo xtask docs`; do not edit. -->\n\n\
         What taskstore promises, sentence by sentence, each with the tests that would fail if it \
         were false: {} promises,\n{} cases of the conformance suite, which every store runs, and {} \
         tests of what runs on a store.\n",
        PROMISES.len(),
        cases.len(),
        ELSEWHERE.len(),
    );
    let mut noun = "";
    for promise in PROMISES {
        let its_noun = promise.id.split_once('.').map_or(promise.id, |(noun, _)| noun);
        if its_noun != noun {
            noun = its_noun;
            page.push_str(&format!("\n## {}\n\n| promise | proven by |\n|---|---|\n", title(noun)));
        }
        let by = proofs(promise.id, cases).join("<br>");
        page.push_str(&format!("| **`{}`** {} | {by} |\n", promise.id, promise.says));
    }
    page
}

fn proofs(id: &str, cases: &[Case]) -> Vec<String> {
    let here = cases.iter().filter(|case| case.promises.contains(&id));
    let here = here.map(|case| format!("`{}`", case.name));
    let there = ELSEWHERE.iter().filter(|test| test.promise == id);
    let there = there.map(|test| format!("`{}` in [{}](../{})", test.test, test.file, test.file));
    here.chain(there).collect()
}

/// A noun as a heading.
fn title(noun: &str) -> String {
    let words = noun.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
