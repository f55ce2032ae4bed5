//! Every file under `sql/` is a statement that the server understands, on the tables as they are made.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Store;
use mysql_async::prelude::Queryable;

common::server_tests!(every_file_can_be_prepared);

async fn every_file_can_be_prepared() {
    let store = Store::new().await;
    let mut person = store.person().await;
    let mut files = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sql")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for statement in text.split_inclusive(";\n").filter(|one| can_be_prepared(one)) {
            if let Err(error) = person.prep(statement).await {
                panic!("{}: {error}", path.display());
            }
        }
        files += 1;
    }
    assert!(files > 80, "{files}");
}

/// All but what makes and takes savepoints, which is sent as text.
fn can_be_prepared(statement: &str) -> bool {
    let mut lines = statement.lines().filter(|line| !line.starts_with("--"));
    let first = lines.next().unwrap_or_default();
    !first.is_empty() && !["SAVEPOINT", "ROLLBACK"].iter().any(|word| first.starts_with(word))
}
