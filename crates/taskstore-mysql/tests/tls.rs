//! Encrypted connections, to a server that shows the certificate of `tests/tls`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::ExitCode;

/// Says who made out the server's certificate, if it is one that `cargo xtask test` started.
#[cfg(feature = "tls")]
const AUTHORITY: &str = "TASKSTORE_TEST_MYSQL_AUTHORITY";

#[cfg(not(feature = "tls"))]
fn main() -> ExitCode {
    common::ignore("the feature `tls` is off")
}

#[cfg(feature = "tls")]
fn main() -> ExitCode {
    if std::env::var_os(AUTHORITY).is_none() {
        return common::ignore("TASKSTORE_TEST_MYSQL_AUTHORITY names no authority");
    }
    common::run(vec![
        ("encrypted_when_asked_and_only_then", || common::block_on(encrypted::when_asked()), false),
        ("the_certificate_is_looked_at", || common::block_on(encrypted::looked_at()), false),
        ("bad_authorities_are_named", || common::block_on(encrypted::bad_authorities()), false),
    ])
}

#[cfg(feature = "tls")]
mod encrypted {
    use taskstore_core::{Error, Result};
    use taskstore_mysql::{MysqlBackend, MysqlOptions};

    use crate::{AUTHORITY, common::Store};

    /// As a user who is let in only over an encrypted connection, or as one who is always.
    struct Door {
        store: Store,
        user: String,
    }

    impl Door {
        async fn new() -> Self {
            let store = Store::new().await;
            let user = format!("tls{}_{}", std::process::id(), store.name());
            store.sql(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'word' REQUIRE SSL")).await;
            store.sql(&format!("GRANT ALL ON *.* TO '{user}'@'%'")).await;
            Self { store, user }
        }

        async fn open(&self, host: &str, says: &str) -> Result<MysqlBackend> {
            let (port, database) = self.store.place();
            let user = &self.user;
            let url = format!("mysql://{user}:word@{host}:{port}/{database}?{says}");
            MysqlBackend::open(MysqlOptions::from_url(&url)?).await
        }

        async fn close(self) {
            self.store.sql(&format!("DROP USER '{}'@'%'", self.user)).await;
        }
    }

    fn ours() -> String {
        std::env::var(AUTHORITY).unwrap()
    }

    fn stranger() -> String {
        ours().replace("authority.pem", "stranger.pem")
    }

    pub(super) async fn when_asked() {
        let door = Door::new().await;
        for says in ["", "ssl-mode=preferred", "ssl-mode=required"] {
            door.open("127.0.0.1", says).await.unwrap();
        }
        let error = door.open("127.0.0.1", "ssl-mode=disabled").await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error}");
        door.close().await;
    }

    pub(super) async fn looked_at() {
        let door = Door::new().await;
        let (ours, stranger) = (ours(), stranger());
        for (host, says) in [
            ("localhost", format!("ssl-mode=verify_identity&ssl-ca={ours}")),
            ("localhost", format!("ssl-ca={ours}")),
            ("127.0.0.1", format!("ssl-mode=required&ssl-ca={stranger}")),
        ] {
            door.open(host, &says).await.unwrap();
        }
        for (host, says) in [
            ("127.0.0.1", format!("ssl-mode=verify_identity&ssl-ca={ours}")),
            ("localhost", format!("ssl-mode=verify_identity&ssl-ca={stranger}")),
            ("localhost", format!("ssl-ca={stranger}")),
        ] {
            let error = door.open(host, &says).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{says}: {error:?}");
            assert!(error.to_string().contains("certificate"), "{says}: {error}");
        }
        door.close().await;
    }

    pub(super) async fn bad_authorities() {
        let door = Door::new().await;
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        for file in [empty.display().to_string(), "/nowhere/authority.pem".to_owned()] {
            let error = door.open("localhost", &format!("ssl-ca={file}")).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error}");
            assert!(error.to_string().contains("ssl-ca"), "{error}");
        }
        door.close().await;
    }
}
