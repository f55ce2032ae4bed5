//! The arguments of a command line as names and values.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// The value of a flag.
const SET: &str = "true";

/// Reads `--key=value`, `--key value` and `--flag`.
pub(super) fn parse(args: &[String]) -> Result<BTreeMap<String, String>> {
    let mut named = BTreeMap::new();
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let Some(option) = arg.strip_prefix("--") else {
            return Err(bad(format!("{arg:?} is no option: say --key=value or --key value")));
        };
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (key, value),
            None => match args.next_if(|next| !next.starts_with("--")) {
                Some(value) => (option, value.as_str()),
                None => (option, SET),
            },
        };
        if key.is_empty() {
            return Err(bad(format!("{arg:?} has no name")));
        }
        if named.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(bad(format!("--{key} is there twice")));
        }
    }
    Ok(named)
}

fn bad(reason: String) -> Error {
    Error::invalid("args", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Vec<(String, String)> {
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        parse(&args).unwrap().into_iter().collect()
    }

    fn refused(args: &[&str]) -> String {
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        parse(&args).unwrap_err().to_string()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(parsed(&[]), []);
        assert_eq!(parsed(&["--a=1"]), [pair("a", "1")]);
        assert_eq!(parsed(&["--a", "1"]), [pair("a", "1")]);
        assert_eq!(parsed(&["--a"]), [pair("a", "true")]);
        assert_eq!(parsed(&["--a", "--b", "x"]), [pair("a", "true"), pair("b", "x")]);
    }

    #[test]
    fn a_value_may_be_anything() {
        assert_eq!(parsed(&["--q=a=b==c"]), [pair("q", "a=b==c")]);
        assert_eq!(parsed(&["--a="]), [pair("a", "")]);
        assert_eq!(parsed(&["--a", ""]), [pair("a", "")]);
        assert_eq!(parsed(&["--n", "-5"]), [pair("n", "-5")]);
        assert_eq!(parsed(&["--n=--x"]), [pair("n", "--x")]);
        assert_eq!(parsed(&["--n", "a=b"]), [pair("n", "a=b")]);
        assert_eq!(parsed(&["--n=two words 🦀"]), [pair("n", "two words 🦀")]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(
            refused(&["5"]),
            r#"args is not valid: "5" is no option: say --key=value or --key value"#
        );
        assert!(refused(&["--a", "1", "b"]).contains(r#""b" is no option"#));
        assert!(refused(&["-a"]).contains(r#""-a" is no option"#));
        assert_eq!(refused(&["--"]), r#"args is not valid: "--" has no name"#);
        assert_eq!(refused(&["--=1"]), r#"args is not valid: "--=1" has no name"#);
        assert_eq!(refused(&["--a=1", "--a", "2"]), "args is not valid: --a is there twice");
    }
}
