//! Pages that are made from code.

use std::{fs, path::PathBuf};

/// The workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The page must be as it would be made; told to, it is made so.
pub(crate) fn keep_page(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var_os("TASKSTORE_WRITE_DOCS").is_some() {
        let written = fs::write(&file, made);
        assert!(written.is_ok(), "{path}: {written:?}");
    }
    let is = fs::read_to_string(&file).unwrap_or_default();
    assert!(is == made, "{path} is out of date: run `cargo xtask docs`");
}
