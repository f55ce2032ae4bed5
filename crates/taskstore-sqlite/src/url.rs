//! `sqlite://PATH?synchronous=normal&readers=4&prefix=app_`: reads it, and refuses what it does not
//! know, so that a typing error is not a silent default.

use std::path::PathBuf;

use taskstore_core::{Error, Result};

use crate::options::{SqliteOptions, Synchronous, Wakeup};

const SCHEME: &str = "sqlite://";

pub(crate) fn parse(url: &str) -> Result<SqliteOptions> {
    let rest = url
        .strip_prefix(SCHEME)
        .ok_or_else(|| invalid(format!("it does not begin with {SCHEME}")))?;
    if rest.contains('#') {
        return Err(invalid("it has a fragment; write %23 for a # in the path"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path_from(decode(path)?)?;
    let mut options = SqliteOptions::new(path);
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| invalid(format!("{pair:?} has no value")))?;
        if seen.contains(&key) {
            return Err(invalid(format!("{key} is there twice")));
        }
        seen.push(key);
        options = set(options, key, &text(decode(value)?)?)?;
    }
    Ok(options)
}

fn set(options: SqliteOptions, key: &str, value: &str) -> Result<SqliteOptions> {
    let unknown = || invalid(format!("{key} cannot be {value:?}"));
    let named = |error: Error| match error {
        Error::Invalid { field, reason } => invalid(format!("{field}: {reason}")),
        other => other,
    };
    match key {
        "synchronous" => Ok(options.synchronous(match value {
            "full" => Synchronous::Full,
            "normal" => Synchronous::Normal,
            _ => return Err(unknown()),
        })),
        "wakeup" => Ok(options.wakeup(match value {
            "auto" => Wakeup::Auto,
            "poll" => Wakeup::Poll,
            "off" => Wakeup::Off,
            _ => return Err(unknown()),
        })),
        "readers" => options.readers(value.parse().map_err(|_| unknown())?).map_err(named),
        "prefix" => options.prefix(value).map_err(named),
        _ => Err(invalid(format!(
            "{key:?} is not a parameter; there are synchronous, readers, prefix and wakeup"
        ))),
    }
}

fn path_from(bytes: Vec<u8>) -> Result<PathBuf> {
    if bytes.is_empty() {
        return Err(invalid("it has no path"));
    }
    if bytes.contains(&0) {
        return Err(invalid("its path holds a NUL character"));
    }
    let path = text(bytes)?;
    if path == ":memory:" {
        return Err(invalid("it has no file; a store in memory has the URL memory:"));
    }
    if path.ends_with('/') {
        return Err(invalid(format!("{path:?} is not the path of a file")));
    }
    Ok(path.into())
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 when it is decoded"))
}

fn decode(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                return Err(invalid("a % is not followed by two hexadecimal digits"));
            };
            bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
        } else {
            bytes.push(byte);
        }
    }
    Ok(bytes)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::invalid("url", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_or_absolute_and_percent_decoded() {
        for (url, path) in [
            ("sqlite://tasks.db", "tasks.db"),
            ("sqlite://./data/tasks.db", "./data/tasks.db"),
            ("sqlite:///var/lib/tasks.db", "/var/lib/tasks.db"),
            ("sqlite://my%20tasks%3F.db", "my tasks?.db"),
            ("sqlite://%C3%A4.db?readers=2", "ä.db"),
            ("sqlite://a.db?", "a.db"),
        ] {
            assert_eq!(parse(url).unwrap().path, PathBuf::from(path), "{url}");
        }
    }

    #[test]
    fn parameters_are_read() {
        let options =
            parse("sqlite://a.db?synchronous=normal&readers=9&prefix=app_&wakeup=poll").unwrap();
        assert_eq!(options.synchronous, Synchronous::Normal);
        assert_eq!(options.readers, 9);
        assert_eq!(options.prefix, "app_");
        assert_eq!(options.wakeup, Wakeup::Poll);
        assert_eq!(parse("sqlite://a.db").unwrap().synchronous, Synchronous::Full);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for url in [
            "sqlite:tasks.db",
            "postgres://x",
            "",
            "sqlite://",
            "sqlite://?readers=2",
            "sqlite://a.db?reader=2",
            "sqlite://a.db?readers",
            "sqlite://a.db?readers=",
            "sqlite://a.db?readers=0",
            "sqlite://a.db?readers=65",
            "sqlite://a.db?readers=-1",
            "sqlite://a.db?readers=2&readers=3",
            "sqlite://a.db?synchronous=off",
            "sqlite://a.db?synchronous=FULL",
            "sqlite://a.db?prefix=A",
            "sqlite://a.db?prefix=a%20b",
            "sqlite://a%2.db",
            "sqlite://a%zz.db",
            "sqlite://a%00.db",
            "sqlite://%FF.db",
            "sqlite://a.db#x",
            "sqlite://folder/",
            "sqlite://:memory:",
        ] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{url}: {error}");
        }
    }
}
