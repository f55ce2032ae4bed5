//! `mysql://user:password@host:3306/database?prefix=app_`: reads it, and refuses what it does not
//! know, so that a typing error is not a silent default. No message repeats the user or password.

use std::time::Duration;

use taskstore_core::{Error, Result};

use crate::{options::MysqlOptions, tls::Ask};

const SCHEMES: [&str; 2] = ["mysql://", "mariadb://"];
const KNOWN: &str = "prefix, pool, connect_timeout, ssl-mode, ssl-ca";

pub(crate) fn parse(url: &str) -> Result<MysqlOptions> {
    let rest = SCHEMES
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .ok_or_else(|| invalid("it does not begin with mysql:// or mariadb://"))?;
    if rest.contains('#') {
        return Err(invalid("it has a fragment; write %23 for a #"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let database = decode(database)?;
    if database.is_empty() || database.contains('/') {
        return Err(invalid("it names no database: mysql://user:password@host/database"));
    }
    let (who, at) = match authority.rsplit_once('@') {
        Some((who, at)) => (Some(who), at),
        None => (None, authority),
    };
    let (host, port) = host_and_port(at)?;
    let mut options = MysqlOptions::new(host, database);
    if let Some(port) = port {
        options = options.port(port);
    }
    if let Some(who) = who {
        let (user, password) = who.split_once(':').map_or((who, None), |(u, p)| (u, Some(p)));
        options = options.user(decode(user)?);
        if let Some(password) = password {
            options = options.password(decode(password)?);
        }
    }
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| invalid("a parameter has no value"))?;
        if seen.contains(&key) {
            return Err(invalid("a parameter is there twice"));
        }
        seen.push(key);
        options = set(options, key, &decode(value)?)?;
    }
    if !options.tls.can_be_had() {
        return Err(invalid("what it says of TLS needs the feature `tls` of this crate"));
    }
    Ok(options)
}

fn host_and_port(at: &str) -> Result<(String, Option<u16>)> {
    let bad_port = || invalid("its port is not a number between 1 and 65535");
    let (host, port) = if let Some(rest) = at.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or_else(|| invalid("a [ is not closed"))?;
        match tail.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if tail.is_empty() => (host, None),
            None => return Err(invalid("something follows the ] of its host")),
        }
    } else {
        at.split_once(':').map_or((at, None), |(host, port)| (host, Some(port)))
    };
    let host = decode(host)?;
    if host.is_empty() || host.contains(['\0', ' ']) {
        return Err(invalid("it has no host"));
    }
    let number = |port: &str| port.parse().ok().filter(|&port| port != 0).ok_or_else(bad_port);
    Ok((host, port.map(number).transpose()?))
}

fn set(mut options: MysqlOptions, key: &str, value: &str) -> Result<MysqlOptions> {
    let unknown = || invalid(format!("{key} cannot be {value:?}"));
    let named = |error: Error| match error {
        Error::Invalid { field, reason } => invalid(format!("{field}: {reason}")),
        other => other,
    };
    match key {
        "prefix" => options.prefix(value).map_err(named),
        "pool" => options.pool(value.parse().map_err(|_| unknown())?).map_err(named),
        "connect_timeout" => {
            let seconds = value.parse().map_err(|_| unknown())?;
            options.connect_timeout(Duration::from_secs(seconds)).map_err(named)
        }
        "ssl-mode" | "sslmode" => {
            if value.eq_ignore_ascii_case("verify_ca") {
                return Err(invalid(
                    "ssl-mode=verify_ca cannot be had: the driver looks at the host's name, too. \
                     Say verify_identity, and use a name that the certificate has",
                ));
            }
            options.tls.asked = Some(Ask::read(value).ok_or_else(unknown)?);
            Ok(options)
        }
        "ssl-ca" if !value.is_empty() => {
            options.tls.authorities = Some(value.into());
            Ok(options)
        }
        // The key may be anything, also part of a password that was not encoded.
        _ => Err(invalid(format!("it has a parameter that is not known; there are {KNOWN}"))),
    }
}

fn decode(text: &str) -> Result<String> {
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
    if bytes.contains(&0) {
        return Err(invalid("it holds a NUL character"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 when it is decoded"))
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::invalid("url", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let options = parse(
            "mysql://wor%40ker:p%3Aw%2F@db.example.com:3307/my%20db?prefix=app_&pool=3&connect_timeout=9&ssl-mode=PREFERRED",
        )
        .unwrap();
        assert_eq!(options.user, "wor@ker");
        assert_eq!(options.password.as_deref(), Some("p:w/"));
        assert_eq!((options.host.as_str(), options.port), ("db.example.com", 3307));
        assert_eq!(options.database, "my db");
        assert_eq!((options.prefix.as_str(), options.pool), ("app_", 3));
        assert_eq!(options.connect_timeout, Duration::from_secs(9));
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let options = parse("mariadb://localhost/app").unwrap();
        assert_eq!((options.user.as_str(), options.password), ("root", None));
        assert_eq!((options.host.as_str(), options.port), ("localhost", 3306));
        let options = parse("mysql://u@[::1]/app").unwrap();
        assert_eq!((options.host.as_str(), options.port), ("::1", 3306));
        assert_eq!(parse("mysql://u@[::1]:33/app").unwrap().port, 33);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name_and_shows_no_password() {
        for url in [
            "mysql:app",
            "postgres://hush@h/app",
            "",
            "mysql://",
            "mysql://h",
            "mysql://h/",
            "mysql:///app",
            "mysql://u:hush@/app",
            "mysql://u:hush@h:0/app",
            "mysql://u:hush@h:x/app",
            "mysql://u:hush@h:65536/app",
            "mysql://u:hush@[::1/app",
            "mysql://u:hush@[::1]x/app",
            "mysql://u:hush@h/a/b",
            "mysql://u:hush@h/a%00",
            "mysql://u:hush@h/a%zz",
            "mysql://u:hush@h/%FF",
            "mysql://u:hush@h/app#x",
            "mysql://u:hush@h/app?pools=2",
            "mysql://u:hush@h/app?pool",
            "mysql://u:hush@h/app?pool=",
            "mysql://u:hush@h/app?pool=0",
            "mysql://u:hush@h/app?pool=257",
            "mysql://u:hush@h/app?pool=2&pool=3",
            "mysql://u:hush@h/app?prefix=A",
            "mysql://u:hush@h/app?connect_timeout=0",
            "mysql://u:hush@h/app?ssl-mode=maybe",
            "mysql://u:hush@h/app?ssl-ca=",
        ] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{url}: {error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
