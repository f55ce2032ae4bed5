//! With which words transactions begin.
//!
//! A connection of one's own is told how it is to work once, when it is made. Behind a pooler that lends a
//! connection for one transaction whatever is set would stay with the connection and meet somebody else;
//! so each transaction is told, and each statement is in one.

use std::fmt::Write as _;

use crate::{connection::Job, options::PostgresOptions};

/// With which words transactions begin.
#[derive(Debug)]
pub(crate) struct Openings {
    /// One that does what the session is for.
    pub(crate) plain: String,
    /// One that sees what is committed when it begins, and nothing later.
    pub(crate) snapshot: String,
    /// The same, for what walks down keys whatever the statistics say: they may be as old as the last
    /// time that somebody counted an empty table. What must be sorted still is.
    pub(crate) walks: String,
    /// Whether a statement must be in a transaction, and may not be prepared for longer.
    pub(crate) pooled: bool,
}

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;";

const WALKS: &str = "SET LOCAL enable_seqscan=off; SET LOCAL enable_bitmapscan=off; \
    SET LOCAL enable_sort=off; SET LOCAL enable_hashjoin=off; SET LOCAL enable_mergejoin=off; \
    SET LOCAL max_parallel_workers_per_gather=0;";

impl Openings {
    pub(crate) fn new(options: &PostgresOptions, job: Job) -> Self {
        let pooled = options.pooled;
        let (plain, settings) = if pooled {
            let access = if job.only_reads() { "READ ONLY" } else { "READ WRITE" };
            (format!("BEGIN ISOLATION LEVEL READ COMMITTED, {access};"), settings(options, job))
        } else {
            ("BEGIN;".to_owned(), String::new())
        };
        Self {
            plain: plain + &settings,
            snapshot: SNAPSHOT.to_owned() + &settings,
            walks: SNAPSHOT.to_owned() + &settings + WALKS,
            pooled,
        }
    }
}

/// What a session of its own would have been told at its start. All of it is this crate's own text, but for
/// the schema's name, which was checked.
fn settings(options: &PostgresOptions, job: Job) -> String {
    let schema = options.schema.as_deref().map(|schema| ("search_path", schema));
    job.settings().iter().copied().chain(schema).fold(String::new(), |mut text, (name, value)| {
        let _ = write!(text, "SET LOCAL {name}='{value}';");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> PostgresOptions {
        PostgresOptions::from_url(&format!("postgres://h/x{query}")).unwrap()
    }

    #[test]
    fn behind_a_pooler_each_transaction_says_all_and_without_one_nothing() {
        let direct = Openings::new(&options("?schema=jobs"), Job::Work);
        assert_eq!((direct.plain.as_str(), direct.snapshot.as_str()), ("BEGIN;", SNAPSHOT));
        let pooled = Openings::new(&options("?schema=jobs&pooler=transaction"), Job::Work);
        for (name, _) in Job::Work.settings() {
            assert!(pooled.plain.contains(&format!("SET LOCAL {name}=")), "{name}");
        }
        assert!(pooled.plain.ends_with("SET LOCAL search_path='jobs';"), "{}", pooled.plain);
        let looks = Openings::new(&options("?pooler=transaction"), Job::Look);
        assert!(looks.plain.contains("READ ONLY") && looks.walks.contains("enable_sort"));
    }
}
