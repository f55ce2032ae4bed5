//! Databases, roles and sessions that are set up as only some are: with another collation or encoding, with
//! defaults that would break what relies on them, published for logical replication, and without rights to
//! change tables.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use taskstore_conformance::{
    Case, Harness, cases,
    stress::{self, Options, Tally},
    try_case,
};
use taskstore_core::{
    Backend, Error, RunError, Status, Store, TaskContext, TaskError,
    backend::{Claim, DefinitionQuery, Enqueue, Expect, Migrate, TaskFilter, TaskOrder, TaskQuery},
};
use taskstore_postgres::{PostgresBackend, PostgresOptions};
use tokio_postgres::NoTls;

use crate::{Test, harness::Postgres, own::OwnServer, store::with_store_of};

pub(crate) const TESTS: &[Test] = &[(
    "a_store_works_where_databases_and_roles_are_set_up_as_only_some_are",
    a_store_works_where_databases_and_roles_are_set_up_as_only_some_are,
)];

/// Whose lists and keys are in an order, of names in which upper and lower case, digits and signs are
/// mixed.
const NOUNS: [&str; 2] = ["definition", "queue"];

/// What it is called, and what it does.
type Part = (&'static str, fn(&OwnServer));

/// One server for all of it, each in a database or a schema of its own.
fn a_store_works_where_databases_and_roles_are_set_up_as_only_some_are() {
    let server = OwnServer::boot(&["fsync=off", "wal_level=logical"]);
    let server = &server;
    let parts: [Part; 5] = [
        ("collation", collation),
        ("encoding", encoding),
        ("role", odd_role),
        ("publication", publication),
        ("rights", rights),
    ];
    thread::scope(|scope| {
        let parts = parts.map(|(name, part)| (name, scope.spawn(move || part(server))));
        let failed = parts.map(|(name, part)| part.join().is_err().then_some(name));
        let failed: Vec<_> = failed.into_iter().flatten().collect();
        assert!(failed.is_empty(), "see above: {failed:?}");
    });
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

/// Runs statements, each in a transaction of its own, as a superuser of a database.
async fn sql(server: &OwnServer, database: &str, statements: &[&str]) {
    let url = at(server, "postgres", database);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    for statement in statements {
        client
            .batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

fn at(server: &OwnServer, role: &str, database: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{}/{database}", server.port())
}

/// Does everything that may be done to a store, of which nothing may be refused.
async fn stress(handles: &[Arc<dyn Backend>]) {
    let mut all = Tally::default();
    for round in 0..20 {
        let mut options = Options::new((u64::from(std::process::id()) << 20) + round);
        options.faults = 0.0;
        options.lasts = Duration::from_secs(1);
        let tally = stress::run(handles, options).await.unwrap_or_else(|violations| {
            panic!("seed {}:\n{}", options.seed, violations.join("\n"))
        });
        // What was refused is in the history as something of which nobody knows the end.
        assert_eq!(tally.unknown, 0, "seed {}: {tally:?}", options.seed);
        all.add(&tally);
        if all.least() > 0 {
            return;
        }
    }
    panic!("not everything was done: {all:?}");
}

/// Turkish has another idea of upper case, and no language sorts as bytes do.
fn collation(server: &OwnServer) {
    run(sql(
        server,
        "postgres",
        &["CREATE DATABASE turkish TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu
            ICU_LOCALE 'tr' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"],
    ));
    let url = at(server, "postgres", "turkish");
    let harness: Arc<dyn Harness> = Arc::new(Postgres::at(url.clone(), url));
    let noun = |case: &Case| case.name.split("::").next().unwrap_or_default();
    let cases: Vec<_> = cases().into_iter().filter(|case| NOUNS.contains(&noun(case))).collect();
    assert!(cases.len() > 30, "only {}", cases.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    try_case(Arc::clone(&harness), *case, harness.deadline())
                        .unwrap_or_else(|why| panic!("{}: {why}", case.name));
                }
            });
        }
    });
}

/// A text that the encoding does not have is refused, and of a batch it alone.
fn encoding(server: &OwnServer) {
    run(async {
        let latin =
            "CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'";
        sql(server, "postgres", &[latin]).await;
        let options = PostgresOptions::from_url(&at(server, "postgres", "latin")).unwrap();
        let backend: Arc<dyn Backend> = Arc::new(PostgresBackend::open(options).await.unwrap());
        backend.migrate(&Migrate::up()).await.unwrap();
        let store = Store::from(backend);
        store.set_error_handler(|_, _, error| {
            assert!(!matches!(error, RunError::LeaseLost), "{error}");
        });
        let bad: Arc<OnceLock<usize>> = Arc::default();
        bad.set(250).unwrap();
        let handler = move |_: TaskContext, number: usize| {
            let is_bad = bad.get() == Some(&number);
            async move { if is_bad { Err(TaskError::permanent("a snowman: \u{2603}")) } else { Ok(()) } }
        };
        store.register_fn("latin", handler).await.unwrap();
        let error = store.enqueue_by_alias("default", "latin", "\u{2603}").await.unwrap_err();
        assert!(
            matches!(error, Error::Backend { .. }) && error.to_string().contains("LATIN1"),
            "{error}"
        );
        let mut tasks = Vec::new();
        for number in 0..500 {
            tasks.push(store.enqueue_by_alias("default", "latin", number).await.unwrap());
        }
        store.enqueue_by_alias("default", "latin", "\u{fc}").await.unwrap();
        let summary = store.runner().concurrency(500).run_once().await.unwrap();
        assert_eq!((summary.succeeded, summary.failed), (499, 2), "{summary:?}");
        for (number, id) in tasks.into_iter().enumerate() {
            let task = store.tasks().get(id).await.unwrap();
            let expected = if number == 250 { Status::Failed } else { Status::Success };
            assert_eq!(task.status, expected, "{task:?}");
        }
    });
}

/// Everything that an administrator may have set for a role and that a statement could rely on.
fn odd_role(server: &OwnServer) {
    run(sql(
        server,
        "postgres",
        &[
            "CREATE ROLE odd LOGIN",
            "CREATE DATABASE odd OWNER odd",
            "ALTER ROLE odd SET timezone='Asia/Kathmandu'",
            "ALTER ROLE odd SET datestyle='German, DMY'",
            "ALTER ROLE odd SET intervalstyle='sql_standard'",
            "ALTER ROLE odd SET bytea_output='escape'",
            "ALTER ROLE odd SET default_transaction_isolation='serializable'",
            "ALTER ROLE odd SET default_transaction_read_only=on",
            "ALTER ROLE odd SET statement_timeout=20",
            "ALTER ROLE odd SET lock_timeout=1",
            "ALTER ROLE odd SET idle_in_transaction_session_timeout=20",
            "ALTER ROLE odd SET enable_indexscan=off",
        ],
    ));
    let url = at(server, "odd", "odd");
    // A person must say that he wants to write.
    let person = format!(
        "{url}?options=-c%20default_transaction_read_only%3Doff%20-c%20statement_timeout%3D0"
    );
    with_store_of(Postgres::at(url, person), async |store| {
        let handles: [Arc<dyn Backend>; 2] =
            [Arc::new(store.other().await), Arc::new(store.other().await)];
        stress(&handles).await;
        store
            .sql(
                "INSERT INTO task_enqueue(alias,run_at) VALUES('email.send','2099-03-01 07:00:00')",
            )
            .await;
        let mut filter = TaskFilter::default();
        filter.definition = Some(store.definition.id);
        let query = TaskQuery::new(filter, TaskOrder::NewestFirst, 2);
        let tasks = store.backend.tasks(&query).await.unwrap().items;
        assert_eq!(tasks.len(), 1);
        assert_eq!(tasks[0].run_at.to_string(), "2099-03-01 7:00:00.0 +00");
    });
}

/// A row of a published table can only be changed if it can be told from the others.
fn publication(server: &OwnServer) {
    run(async {
        let create = "CREATE DATABASE published";
        sql(server, "postgres", &[create]).await;
        sql(server, "published", &["CREATE PUBLICATION everything FOR ALL TABLES"]).await;
    });
    let url = at(server, "postgres", "published");
    with_store_of(Postgres::at(url.clone(), url), async |store| {
        let without_key = "SELECT relname FROM pg_class c
             WHERE relnamespace=current_schema()::regnamespace AND relkind='r'
              AND NOT EXISTS(SELECT FROM pg_index i WHERE i.indrelid=c.oid AND i.indisprimary)";
        assert!(store.sql(without_key).await.is_empty());
        let handles: [Arc<dyn Backend>; 2] =
            [Arc::new(store.other().await), Arc::new(store.other().await)];
        stress(&handles).await;
        everything_else(&store.backend, &store).await;
    });
}

/// What the stress does not do.
async fn everything_else(backend: &PostgresBackend, store: &crate::store::Store) {
    let mut definition =
        taskstore_core::Definition::new(taskstore_core::Alias::new("more").unwrap());
    backend.put_definition(&definition, Expect::Absent).await.unwrap();
    let was = Expect::Unchanged { updated_at: definition.updated_at };
    definition.title = "More".to_owned();
    backend.put_definition(&definition, was).await.unwrap();
    backend.delete_definition(definition.id).await.unwrap();
    assert!(backend.definitions(&DefinitionQuery::new(10)).await.unwrap().items.len() >= 2);
    let mut keyed = store.task();
    keyed.unique = Some(taskstore_core::UniqueHash::new("places", "one").unwrap());
    backend.enqueue(&Enqueue::new(&[keyed.clone()])).await.unwrap();
    let mut claim: Claim = store.claim_of(1);
    claim.lease_for = Duration::from_secs(15);
    assert_eq!(backend.claim(&claim).await.unwrap().tasks.len(), 1);
    assert!(backend.task(keyed.id).await.unwrap().is_some());
    backend.count(&TaskFilter::default(), 10).await.unwrap();
    backend.check_schema().await.unwrap();
    assert!(backend.migrate(&Migrate::up()).await.unwrap().applied.is_empty());
}

/// The rights that the page names are enough, and none of them changes a table.
fn rights(server: &OwnServer) {
    run(async {
        let create =
            ["CREATE ROLE jobs_owner LOGIN", "CREATE ROLE app LOGIN", "CREATE DATABASE rights"];
        sql(server, "postgres", &create).await;
        let closed = [
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "CREATE SCHEMA jobs AUTHORIZATION jobs_owner",
            "ALTER DEFAULT PRIVILEGES FOR ROLE jobs_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        ];
        sql(server, "rights", &closed).await;
        let open = async |role: &str| {
            let options = PostgresOptions::from_url(&at(server, role, "rights")).unwrap();
            PostgresBackend::open(options.schema("jobs").unwrap()).await.unwrap()
        };
        open("jobs_owner").await.migrate(&Migrate::up()).await.unwrap();
        let app = open("app").await;
        let refused = app.check_schema().await.unwrap_err();
        assert!(matches!(refused, Error::Schema { .. } | Error::Backend { .. }), "{refused}");
        let grants = grants();
        sql(server, "rights", &grants.iter().map(String::as_str).collect::<Vec<_>>()).await;
        stress(&[Arc::new(app) as Arc<dyn Backend>, Arc::new(open("app").await)]).await;
        let app = open("app").await;
        assert!(app.migrate(&Migrate::up()).await.unwrap().applied.is_empty());
        assert!(app.migrate(&Migrate::down()).await.is_err(), "it may drop tables");
        let plain = [
            "SET ROLE app",
            "INSERT INTO jobs.task_enqueue(alias) SELECT alias FROM jobs.task_definition",
            "SELECT * FROM jobs.task",
        ];
        sql(server, "rights", &plain).await;
    });
}

/// What docs/guides/postgres.md says that a role needs.
fn grants() -> Vec<String> {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/postgres.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, after) = page.split_once("## A role that may not change tables").unwrap();
    let block = after.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let grants: Vec<_> = block.split(";\n").map(str::trim).filter(|sql| !sql.is_empty()).collect();
    assert!(grants.len() > 3, "{grants:?}");
    grants.into_iter().map(str::to_owned).collect()
}
