//! Every promise has a test, and the page of the promises is as its tests say.

#[path = "support/pages.rs"]
mod pages;

use std::{collections::HashSet, fs};

use taskstore_conformance::{
    cases,
    promises::{ELSEWHERE, PROMISES, page, unknown, unproven},
};

#[test]
fn every_promise_has_a_test() {
    let unproven = unproven(&cases());
    assert!(unproven.is_empty(), "no test would fail if these were false: {unproven:?}");
}

#[test]
fn every_test_proves_a_promise_that_there_is() {
    let unknown = unknown(&cases());
    assert!(unknown.is_empty(), "no promise has these ids: {unknown:?}");
    let idle: Vec<_> = cases().into_iter().filter(|case| case.promises.is_empty()).collect();
    assert!(idle.is_empty(), "these prove nothing: {idle:?}");
}

#[test]
fn ids_and_names_are_there_once() {
    let mut ids = HashSet::new();
    for promise in PROMISES {
        assert!(ids.insert(promise.id), "{} is promised twice", promise.id);
    }
    let mut names = HashSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "{} is there twice", case.name);
    }
}

#[test]
fn nouns_of_promises_are_together() {
    let nouns = PROMISES.iter().filter_map(|promise| promise.id.split_once('.')).map(|(n, _)| n);
    let mut nouns: Vec<_> = nouns.collect();
    nouns.dedup();
    let all = nouns.len();
    let apart: HashSet<_> = nouns.into_iter().collect();
    assert_eq!(apart.len(), all, "one section a noun");
}

#[test]
fn tests_elsewhere_are_where_they_are_said_to_be() {
    for proof in ELSEWHERE {
        let text = fs::read_to_string(pages::root().join(proof.file)).unwrap_or_default();
        let there = text.contains(&format!("fn {}(", proof.test));
        assert!(there, "{} has no test {}", proof.file, proof.test);
    }
}

#[test]
fn the_page_is_what_the_tests_say() {
    pages::keep_page("docs/promises.md", &page(&cases()));
}
