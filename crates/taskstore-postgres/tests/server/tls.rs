//! Encrypted connections, to a server that shows the certificate of `tests/tls`.

use libtest_mimic::{Completion, Trial};

use crate::Test;

/// Says who made out the server's certificate, if it is one that `cargo xtask test` started.
const AUTHORITY: &str = "TASKSTORE_TEST_POSTGRES_AUTHORITY";

/// Ignored, where there is nothing to try it on.
pub(crate) fn trials() -> Vec<Trial> {
    let why = if cfg!(not(feature = "tls")) {
        Some("the feature `tls` is off")
    } else if std::env::var_os(AUTHORITY).is_none() {
        Some("TASKSTORE_TEST_POSTGRES_AUTHORITY names no authority")
    } else {
        None
    };
    let trial = |&(name, run): &Test| match why {
        None => Trial::test(name, move || {
            run();
            Ok(())
        }),
        Some(why) => Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why)))
            .with_kind(why)
            .with_ignored_flag(true),
    };
    TESTS.iter().map(trial).collect()
}

#[cfg(not(feature = "tls"))]
const TESTS: &[Test] = &[("connections_are_encrypted", || {})];

#[cfg(feature = "tls")]
const TESTS: &[Test] = &[
    ("connections_are_encrypted_when_asked_and_only_then", encrypted::when_asked),
    ("the_certificate_is_looked_at_as_far_as_asked", encrypted::looked_at),
    ("authorities_that_cannot_be_read_are_named", encrypted::bad_authorities),
    ("a_server_that_cannot_encrypt_is_named", encrypted::no_tls),
];

#[cfg(feature = "tls")]
mod encrypted {
    use taskstore_core::{Backend, Error, Result};
    use taskstore_postgres::{PostgresBackend, PostgresOptions};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::AUTHORITY;
    use crate::{
        harness::SERVER,
        store::{Store, with_store},
    };

    fn ours() -> String {
        std::env::var(AUTHORITY).unwrap()
    }

    fn stranger() -> String {
        ours().replace("authority.pem", "stranger.pem")
    }

    /// Opens a store on the server by this name of its host.
    async fn open(host: &str, says: &str) -> Result<PostgresBackend> {
        let url = std::env::var(SERVER).unwrap().replace("127.0.0.1", host);
        PostgresBackend::open(PostgresOptions::from_url(&format!("{url}?{says}"))?).await
    }

    /// Whether all connections of this name are encrypted, and there is one.
    async fn is_encrypted(store: &Store, name: &str) -> bool {
        let sql = format!(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING(pid) WHERE application_name='{name}'"
        );
        store.sql(&sql).await[0][0] == "t"
    }

    pub(super) fn when_asked() {
        with_store(async |store| {
            for (says, encrypted) in [
                ("sslmode=disable", false),
                ("sslmode=prefer", true),
                ("connect_timeout=5", true),
                ("sslmode=require", true),
            ] {
                let name = format!("tls{}{}", std::process::id(), says.len());
                let backend =
                    open("127.0.0.1", &format!("{says}&application_name={name}")).await.unwrap();
                // One of each kind of connection.
                backend.now().await.unwrap();
                let heart = backend.heartbeat().await.unwrap();
                assert_eq!(is_encrypted(&store, &name).await, encrypted, "{says}");
                drop(heart);
            }
        });
    }

    pub(super) fn looked_at() {
        with_store(async |_| {
            let (ours, stranger) = (ours(), stranger());
            for (host, says) in [
                ("localhost", format!("sslmode=verify-full&sslrootcert={ours}")),
                ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ours}")),
                ("127.0.0.1", format!("sslmode=require&sslrootcert={ours}")),
                ("127.0.0.1", "sslmode=require".to_owned()),
            ] {
                open(host, &says).await.unwrap();
            }
            for (host, says) in [
                ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ours}")),
                ("localhost", format!("sslmode=verify-full&sslrootcert={stranger}")),
                ("localhost", format!("sslmode=verify-ca&sslrootcert={stranger}")),
                ("localhost", format!("sslmode=require&sslrootcert={stranger}")),
            ] {
                let error = open(host, &says).await.unwrap_err();
                assert!(matches!(error, Error::Invalid { field: "url", .. }), "{says}: {error:?}");
                assert!(error.to_string().contains("certificate"), "{says}: {error}");
            }
        });
    }

    pub(super) fn bad_authorities() {
        with_store(async |_| {
            let folder = tempfile::tempdir().unwrap();
            let empty = folder.path().join("empty.pem");
            std::fs::write(&empty, "").unwrap();
            for file in [empty.display().to_string(), "/nowhere/authority.pem".to_owned()] {
                let says = format!("sslmode=verify-ca&sslrootcert={file}");
                let error = open("localhost", &says).await.unwrap_err();
                assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error}");
                assert!(error.to_string().contains("sslrootcert"), "{error}");
            }
        });
    }

    pub(super) fn no_tls() {
        with_store(async |_| {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    // To whoever asks for encryption: no.
                    let mut asked = [0; 8];
                    if stream.read_exact(&mut asked).await.is_ok() {
                        let _ = stream.write_all(b"N").await;
                    }
                }
            });
            let url = format!("postgres://me@127.0.0.1:{port}/x?sslmode=require");
            let options = PostgresOptions::from_url(&url).unwrap();
            let error = PostgresBackend::open(options).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error:?}");
            assert!(error.to_string().contains("TLS"), "{error}");
        });
    }
}
