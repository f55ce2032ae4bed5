//! The only place of this program that prints.

use std::io::Write as _;

/// A line for whoever watches.
#[expect(clippy::print_stdout, reason = "a command line program speaks on its standard output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The beginning of a line that [`say`] will end.
#[expect(clippy::print_stdout, reason = "a command line program speaks on its standard output")]
pub(crate) fn begin(words: &str) {
    print!("{words}");
    // Who closed our output does not want to read it; the exit code still tells.
    let _ = std::io::stdout().flush();
}

/// What went wrong.
#[expect(clippy::print_stderr, reason = "errors belong on the standard error")]
pub(crate) fn complain(line: &str) {
    eprintln!("error: {line}");
}
