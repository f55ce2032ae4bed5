//! What is done with the URL of a server.

use std::time::{SystemTime, UNIX_EPOCH};

/// A name that no other database has.
pub(super) fn new_database() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("taskstore_bench_{}_{:x}", std::process::id(), since.as_micros())
}

/// The same URL, but of this database.
pub(super) fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(a, p)| (a, Some(p)));
    let authority = address.find("://").map_or(0, |at| at + "://".len());
    let end = address.get(authority..).and_then(|rest| rest.find('/'));
    let server = end.and_then(|end| address.get(..authority + end)).unwrap_or(address);
    let parameters = parameters.map_or_else(String::new, |parameters| format!("?{parameters}"));
    format!("{server}/{database}{parameters}")
}

/// The same URL, without parameters but these.
pub(super) fn with_only(url: &str, wanted: &[&str]) -> String {
    let Some((address, parameters)) = url.split_once('?') else { return url.into() };
    let name =
        |parameter: &&str| parameter.split_once('=').is_some_and(|(n, _)| wanted.contains(&n));
    let kept: Vec<&str> = parameters.split('&').filter(name).collect();
    if kept.is_empty() { address.into() } else { format!("{address}?{}", kept.join("&")) }
}

/// The URL for people to read: without what may be a password.
#[must_use]
pub fn without_password(url: &str) -> String {
    let secret = || {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = authority.rsplit_once('@')?;
        let user = user.split_once(':')?.0;
        Some(format!("{scheme}://{user}@{host}{path}"))
    };
    let url = secret().unwrap_or_else(|| url.into());
    let Some((before, parameters)) = url.split_once('?') else { return url };
    let shown: Vec<&str> =
        parameters.split('&').filter(|parameter| !parameter.starts_with("password=")).collect();
    if shown.is_empty() { before.into() } else { format!("{before}?{}", shown.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_another_and_the_rest_the_same() {
        for (url, wanted) in [
            ("postgres://me:p@host:1/db?a=b", "postgres://me:p@host:1/x?a=b"),
            ("postgres://host", "postgres://host/x"),
            ("postgres://host?host=/run/postgresql", "postgres://host/x?host=/run/postgresql"),
            ("mysql://root@127.0.0.1:3306/", "mysql://root@127.0.0.1:3306/x"),
        ] {
            assert_eq!(with_database(url, "x"), wanted);
        }
    }

    #[test]
    fn only_the_parameters_that_are_wanted_are_kept() {
        let url = "postgres://host/db?pool=8&host=/run&listen=off&port=1";
        assert_eq!(with_only(url, &["host", "port"]), "postgres://host/db?host=/run&port=1");
        assert_eq!(with_only(url, &[]), "postgres://host/db");
        assert_eq!(with_only("postgres://host/db", &["port"]), "postgres://host/db");
    }

    #[test]
    fn two_databases_have_two_names() {
        let first = new_database();
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert_ne!(first, new_database());
        assert!(first.len() <= 63, "{first}");
    }

    #[test]
    fn people_do_not_read_passwords() {
        for (url, shown) in [
            ("postgres://me:se@cret@host:1/db?a=b", "postgres://me@host:1/db?a=b"),
            ("postgres://me@host/db?password=secret", "postgres://me@host/db"),
            ("mysql://host", "mysql://host"),
            ("sqlite://a:b@c.db?readers=2", "sqlite://a@c.db?readers=2"),
            ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
