//! What `connect` opens, and what it refuses.

use taskstore::{Error, TaskContext, TaskKey, connect};

struct Count;

impl TaskKey for Count {
    const KEY: &'static str = "count";
    type Args = u64;
}

async fn count(_: TaskContext, _: u64) -> taskstore::TaskResult<()> {
    Ok(())
}

/// The field that was refused, and why.
async fn refused(connect: taskstore::Connect) -> (&'static str, String) {
    match connect.await {
        Err(Error::Invalid { field, reason }) => (field, reason),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn memory_is_empty_each_time() {
    for url in ["memory:", "memory://"] {
        let store = connect(url).prefix("app_").auto_migrate(true).await.unwrap();
        store.register_fn(Count::KEY, count).await.unwrap();
        let id = store.enqueue::<Count>(1).await.unwrap();
        assert_eq!(store.tasks().get(id).await.unwrap().alias.as_str(), "count");

        let another = connect(url).await.unwrap();
        assert!(another.tasks().get(id).await.is_err());
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_opened_says_why() {
    for (url, why) in [
        ("", "it has no scheme"),
        ("tasks.db", "it has no scheme"),
        ("/var/lib/tasks.db", "it has no scheme"),
        ("memory:tasks", "nothing may come after memory:"),
        ("memory://localhost", "nothing may come after memory:"),
        ("redis://localhost", "\"redis\" is no scheme that is known"),
        ("SQLITE://tasks.db", "\"SQLITE\" is no scheme that is known"),
    ] {
        let (field, reason) = refused(connect(url)).await;
        assert_eq!(field, "url", "{url:?}");
        assert!(reason.starts_with(why), "{url:?}: {reason}");
    }
}

#[tokio::test]
async fn a_url_that_is_not_known_is_answered_with_those_that_work() {
    for url in ["redis://localhost", "tasks.db"] {
        let (_, reason) = refused(connect(url)).await;
        assert!(
            reason.contains(
                "URLs look like sqlite://tasks.db, postgres://user@host/database, mysql://user@host/database and memory:"
            ),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_a_password() {
    for url in [
        "postgres://user:hunter2@host:x/db",
        "postgres://user:hunter2@host/db?pool=0",
        "postgres://user:hunter2@127.0.0.1:1/db",
        "mysql://user:hunter2@host/db?hunter2",
        "mysql://user:hunter2@127.0.0.1:1/db",
        "mariadb://hunter2@host",
        "redis://user:hunter2@host/0",
        "hunter2:hunter2@host/db",
        "hunter2",
        "memory:hunter2",
        "sqlite:hunter2",
        "sqlite://tasks.db?hunter2#hunter2",
    ] {
        let connect = connect(url);
        assert!(!format!("{connect:?}").contains("hunter2"), "{url}");
        let error = connect.await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_named() {
    for bad in [0, 10_001] {
        assert_eq!(refused(connect("memory:").max_concurrency(bad)).await.0, "max_concurrency");
    }
}

#[cfg(not(feature = "sqlite"))]
#[tokio::test]
async fn a_feature_that_is_off_is_named() {
    let (field, reason) = refused(connect("sqlite://tasks.db")).await;
    assert_eq!(field, "url");
    assert_eq!(
        reason,
        "sqlite:// needs the cargo feature `sqlite`: cargo add taskstore --features sqlite"
    );
}

#[cfg(not(feature = "postgres"))]
#[tokio::test]
async fn postgres_is_named_where_its_feature_is_off() {
    for url in ["postgres://localhost/db", "postgresql://user@localhost/db"] {
        let (field, reason) = refused(connect(url)).await;
        assert_eq!(field, "url");
        assert_eq!(
            reason,
            "postgres:// needs the cargo feature `postgres`: cargo add taskstore --features postgres"
        );
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_a_setting_that_cannot_be_is_named() {
    let error = connect("postgres://me@127.0.0.1:1/db?connect_timeout=2").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    for (url, why) in [
        ("postgres://localhost/db?pool=0", "pool: 0 is not between 1 and 1000"),
        ("postgres://localhost/db?sslmode=what", "sslmode cannot be"),
        ("postgres:///db", "it has no host"),
    ] {
        let (field, reason) = refused(connect(url)).await;
        assert_eq!(field, "url", "{url}");
        assert!(reason.starts_with(why), "{url}: {reason}");
    }
    assert_eq!(refused(connect("postgres://localhost/db").prefix("1a")).await.0, "prefix");
}

#[cfg(not(feature = "mysql"))]
#[tokio::test]
async fn mysql_is_named_where_its_feature_is_off() {
    for url in ["mysql://localhost/db", "mariadb://user@localhost/db"] {
        let (field, reason) = refused(connect(url)).await;
        assert_eq!(field, "url");
        assert_eq!(
            reason,
            "mysql:// needs the cargo feature `mysql`: cargo add taskstore --features mysql"
        );
    }
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn a_mysql_server_that_is_not_there_is_unavailable_and_a_bad_url_is_refused() {
    let error = connect("mysql://root@127.0.0.1:1/db").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    for (url, why) in [
        ("mysql://localhost", "it names no database"),
        ("mariadb://u:p@h/db?pool=0", "pool: 0 is not between 1 and 256"),
        ("mysql://h/db?ssl-mode=maybe", "ssl-mode cannot be \"maybe\""),
    ] {
        let (field, reason) = refused(connect(url)).await;
        assert_eq!(field, "url", "{url}");
        assert!(reason.starts_with(why), "{url}: {reason}");
    }
    assert_eq!(refused(connect("mysql://localhost/db").prefix("1a")).await.0, "prefix");
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    fn url(folder: &tempfile::TempDir) -> String {
        format!("sqlite://{}", folder.path().join("tasks.db").display())
    }

    #[tokio::test]
    async fn a_file_keeps_its_tasks_and_prefixes_keep_stores_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = connect(url(&folder)).auto_migrate(true).await.unwrap();
        store.register_fn(Count::KEY, count).await.unwrap();
        let id = store.enqueue::<Count>(1).await.unwrap();
        drop(store);

        let again = connect(url(&folder)).await.unwrap();
        assert_eq!(again.tasks().get(id).await.unwrap().parameters.get(), "1");
        let apart = connect(url(&folder)).prefix("app_").auto_migrate(true).await.unwrap();
        assert!(apart.tasks().get(id).await.is_err());
    }

    #[tokio::test]
    async fn tables_that_are_missing_are_a_schema_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = connect(url(&folder)).await.unwrap();
        let error = store.register_fn(Count::KEY, count).await.unwrap_err();
        assert!(matches!(error, Error::Schema { found: 0, .. }), "{error:?}");
        let error = store.enqueue::<Count>(1).await.unwrap_err();
        assert!(matches!(error, Error::Schema { found: 0, .. }), "{error:?}");
        assert!(store.migration_sql().await.unwrap().contains("CREATE TABLE"));

        store.migrate().await.unwrap();
        store.register_fn(Count::KEY, count).await.unwrap();
        store.migrate_down().await.unwrap();
        let error = store.enqueue::<Count>(1).await.unwrap_err();
        assert!(matches!(error, Error::Schema { found: 0, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn settings_that_cannot_be_make_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let connect = || connect(url(&folder)).auto_migrate(true);
        assert_eq!(refused(connect().prefix("no good")).await.0, "prefix");
        assert_eq!(refused(connect().max_concurrency(0)).await.0, "max_concurrency");
        let unknown = taskstore::connect(format!("{}?cache=7", url(&folder)));
        assert_eq!(refused(unknown).await.0, "url");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
