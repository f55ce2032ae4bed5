//! `postgres://user:password@host:port/database?prefix=app_&..`: reads it, and refuses what it does not
//! know, so that a typing error is not a silent default. No error shows what could be a password.

use std::time::Duration;

use taskstore_core::{Error, Result};

use crate::{options::PostgresOptions, tls::Ask};

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const KNOWN: &str = "prefix, schema, pool, application_name, connect_timeout, pooler, listen, host, \
    target_session_attrs, sslmode, sslrootcert";

pub(crate) fn parse(url: &str) -> Result<PostgresOptions> {
    let (server, query) = place(url)?;
    let several = server.get_hosts().len() > 1;
    let mut options = PostgresOptions::new(server);
    // One that cannot be written to is of no use where there is another.
    options.primary = several;
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| invalid("a parameter has no value"))?;
        if seen.contains(&key) {
            return Err(invalid(format!("{key} is there twice")));
        }
        seen.push(key);
        let value = text("a parameter", value)?;
        options = set(options, key, &value)?;
    }
    if options.server.get_hosts().is_empty() {
        return Err(invalid("it has no host; that of a unix socket is ?host=/run/postgresql"));
    }
    name_user(&mut options.server);
    options.check().map_err(named)?;
    Ok(options)
}

/// As a part of the URL.
fn named(error: Error) -> Error {
    match error {
        Error::Invalid { field, reason } => invalid(format!("{field}: {reason}")),
        other => other,
    }
}

/// The server of a URL that names nothing else, for [`PostgresOptions::listen_at`].
pub(crate) fn parse_server(url: &str) -> Result<tokio_postgres::Config> {
    let named = |error: Error| match error {
        Error::Invalid { reason, .. } => Error::invalid("listen", reason),
        other => other,
    };
    let (mut server, query) = place(url).map_err(named)?;
    if !query.is_empty() {
        return Err(Error::invalid("listen", "its URL has parameters; those of the store count"));
    }
    if server.get_hosts().is_empty() {
        return Err(Error::invalid("listen", "its URL has no host"));
    }
    name_user(&mut server);
    Ok(server)
}

/// Who and where, and the parameters.
fn place(url: &str) -> Result<(tokio_postgres::Config, &str)> {
    let rest = SCHEMES
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .ok_or_else(|| invalid("it does not begin with postgres://"))?;
    if rest.contains('#') {
        return Err(invalid("it has a fragment; write %23 for a #"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A password may hold an @ that nobody has encoded.
    let (who, place) = match place.rsplit_once('@') {
        Some((who, place)) => (Some(who), place),
        None => (None, place),
    };
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    let mut server = tokio_postgres::Config::new();
    user(&mut server, who)?;
    for host in hosts.split(',').filter(|host| !host.is_empty()) {
        add_host(&mut server, host)?;
    }
    if !database.is_empty() {
        server.dbname(text("the database", database)?);
    }
    Ok((server, query))
}

fn name_user(server: &mut tokio_postgres::Config) {
    if server.get_user().is_none() {
        server.user(std::env::var("USER").unwrap_or_else(|_| "postgres".to_owned()));
    }
}

fn user(server: &mut tokio_postgres::Config, who: Option<&str>) -> Result<()> {
    let Some(who) = who else { return Ok(()) };
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (who, None),
    };
    if !user.is_empty() {
        server.user(text("the user", user)?);
    }
    if let Some(password) = password {
        server.password(text("the password", password)?);
    }
    Ok(())
}

fn add_host(server: &mut tokio_postgres::Config, host: &str) -> Result<()> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, port)) => (name, port.strip_prefix(':')),
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let port = port.map_or(Ok(5432), |port| {
        port.parse::<u16>().map_err(|_| invalid("its port is not a number below 65536"))
    })?;
    let name = text("the host", name)?;
    if name.is_empty() {
        return Err(invalid("it has a port, but no host"));
    }
    server.host(name).port(port);
    Ok(())
}

fn set(mut options: PostgresOptions, key: &str, value: &str) -> Result<PostgresOptions> {
    let unknown = || invalid(format!("{key} cannot be {value:?}"));
    match key {
        "prefix" => options.prefix(value).map_err(named),
        "schema" => options.schema(value).map_err(named),
        "pool" => options.pool(value.parse().map_err(|_| unknown())?).map_err(named),
        "application_name" if !value.is_empty() => Ok(options.application_name(value)),
        "connect_timeout" => match value.parse() {
            Ok(seconds @ 1..=3_600) => Ok(options.connect_timeout(Duration::from_secs(seconds))),
            _ => Err(unknown()),
        },
        "listen" => match value {
            "on" => Ok(options.listen(true)),
            "off" => Ok(options.listen(false)),
            url if url.contains("://") => options.listen_at(url).map_err(named),
            _ => Err(invalid("listen is neither on nor off nor the URL of a server")),
        },
        "pooler" => match value {
            "none" => Ok(options.pooler(false)),
            "transaction" => Ok(options.pooler(true)),
            _ => Err(unknown()),
        },
        "target_session_attrs" => match value {
            "any" | "read-write" => {
                options.primary = value == "read-write";
                Ok(options)
            }
            _ => Err(unknown()),
        },
        "host" if !value.is_empty() && options.server.get_hosts().is_empty() => {
            options.server.host(value);
            Ok(options)
        }
        "host" => Err(invalid("there is a host before the parameters already, or it is empty")),
        "sslmode" => {
            options.tls.ask = Ask::read(value).ok_or_else(unknown)?;
            if options.tls.can_be_had() {
                return Ok(options);
            }
            Err(invalid(format!("sslmode={value} needs the feature `tls` of this crate")))
        }
        "sslrootcert" if !value.is_empty() => {
            options.tls.authorities = Some(value.into());
            Ok(options)
        }
        // The key may be anything, also part of a password that was not encoded.
        _ => Err(invalid(format!("it has a parameter that is not known; there are {KNOWN}"))),
    }
}

fn text(what: &str, encoded: &str) -> Result<String> {
    let text = String::from_utf8(decode(encoded)?)
        .map_err(|_| invalid(format!("{what} is not UTF-8 when it is decoded")))?;
    if text.contains('\0') {
        return Err(invalid(format!("{what} holds a NUL character")));
    }
    Ok(text)
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
    use tokio_postgres::config::Host;

    #[test]
    fn a_url_says_who_where_and_what() {
        let options = parse(
            "postgresql://me:p%40s%3As@db.example:6543/my%20db?prefix=app_&schema=jobs&pool=3&application_name=x&connect_timeout=9&listen=off&sslmode=disable",
        )
        .unwrap();
        assert_eq!(options.server.get_hosts(), [Host::Tcp("db.example".into())]);
        assert_eq!(options.server.get_ports(), [6543]);
        assert_eq!(options.server.get_user(), Some("me"));
        assert_eq!(options.server.get_password(), Some(&b"p@s:s"[..]));
        assert_eq!(options.server.get_dbname(), Some("my db"));
        assert_eq!(options.prefix, "app_");
        assert_eq!(options.schema.as_deref(), Some("jobs"));
        assert_eq!(options.pool, 3);
        assert_eq!(options.application_name, "x");
        assert_eq!(options.connect_timeout, Duration::from_secs(9));
        assert!(!options.tells() && !options.hears());
    }

    #[test]
    fn behind_a_pooler_notices_are_told_and_heard_where_the_server_is_named() {
        let pooled = |query: &str| parse(&format!("postgres://h:1/x?pooler=transaction{query}"));
        let heard = |query: &str| pooled(query).map(|options| (options.tells(), options.hears()));
        assert_eq!(heard("").unwrap(), (true, false));
        assert_eq!(heard("&listen=off").unwrap(), (false, false));
        let direct = "&listen=postgres://me:hunter2@db:5433/app";
        assert_eq!(heard(direct).unwrap(), (true, true));
        let at = pooled(direct).unwrap().listen_at.unwrap();
        assert_eq!((at.get_ports(), at.get_user()), (&[5433][..], Some("me")));
        assert_eq!(heard("&listen=postgres%3A%2F%2Fme:a%2526@db/app").unwrap(), (true, true));
        for bad in ["&listen=on", "&listen=postgres://", "&listen=mysql://me:hunter2@h/x"] {
            let error = pooled(bad).unwrap_err().to_string();
            assert!(error.contains("listen") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn of_several_hosts_one_that_takes_writes_is_wanted() {
        for (url, primary) in [
            ("postgres://a/x", false),
            ("postgres://a,b/x", true),
            ("postgres://a,b/x?target_session_attrs=any", false),
            ("postgres://a/x?target_session_attrs=read-write", true),
        ] {
            assert_eq!(parse(url).unwrap().primary, primary, "{url}");
        }
    }

    #[test]
    fn hosts_may_be_several_have_brackets_or_be_the_folder_of_a_socket() {
        let two = parse("postgres://a,b:1/x").unwrap();
        assert_eq!(two.server.get_hosts().len(), 2);
        assert_eq!(two.server.get_ports(), [5432, 1]);
        let six = parse("postgres://me@[::1]:7/x").unwrap();
        assert_eq!(six.server.get_hosts(), [Host::Tcp("::1".into())]);
        let socket = parse("postgres:///x?host=%2Frun%2Fpostgresql").unwrap();
        assert_eq!(socket.server.get_hosts(), [Host::Unix("/run/postgresql".into())]);
        let raw = parse("postgres://me:a@b@h/x").unwrap();
        assert_eq!(raw.server.get_password(), Some(&b"a@b"[..]));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_no_password_is_shown() {
        for url in [
            "postgres:x",
            "mysql://me:hunter2@h/x",
            "",
            "postgres://",
            "postgres:///x",
            "postgres://me:hunter2@h:x/x",
            "postgres://me:hunter2@h:70000/x",
            "postgres://me:hunter2@:1/x",
            "postgres://me:hunter2@h/x#y",
            "postgres://me:hunter2%2@h/x",
            "postgres://me:hunter2%00@h/x",
            "postgres://me:hunter2%FF@h/x",
            "postgres://h/x?pool",
            "postgres://h/x?pool=0",
            "postgres://h/x?pool=x",
            "postgres://h/x?pool=1&pool=2",
            "postgres://h/x?prefix=A",
            "postgres://h/x?schema=a.b",
            "postgres://h/x?connect_timeout=0",
            "postgres://h/x?listen=no",
            "postgres://h/x?listen=http://me:hunter2@h/x",
            "postgres://h/x?listen=postgres://me:hunter2@h/x?pool=2",
            "postgres://h/x?pooler=session",
            "postgres://h/x?target_session_attrs=standby",
            "postgres://h/x?application_name=",
            "postgres://h/x?host=/run",
            "postgres://h/x?sslrootcert=",
            "postgres://h/x?sslmode=what",
            "postgres://me:a?hunter2=b@h/x",
        ] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{url}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
