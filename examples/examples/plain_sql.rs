//! Plain SQL: who has no Rust enqueues with one statement, inside a transaction or trigger of their own.
//!
//! ```console
//! $ cargo run --example plain_sql
//! ```

use std::error::Error;

use serde::Deserialize;

#[derive(Deserialize)]
struct Welcome {
    to: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.db");
    let store =
        taskstore::connect(format!("sqlite://{}", file.display())).auto_migrate(true).await?;
    store
        .register_fn("welcome.send", |ctx, welcome: Welcome| async move {
            ctx.log_info(format!("to {}", welcome.to));
            Ok(())
        })
        .await?;

    // A connection as the sqlite3 shell or any other language has it: it knows nothing of taskstore.
    let shop = rusqlite::Connection::open(&file)?;
    shop.execute_batch(
        r#"
        INSERT INTO task_enqueue (alias, parameters) VALUES ('welcome.send', '{"to": "ada"}');
        INSERT INTO task_enqueue (alias, parameters, priority) VALUES ('welcome.send', '{"to": "grace"}', -5);
        INSERT INTO task_enqueue (alias, parameters, delay) VALUES ('welcome.send', '{"to": "later"}', 3600);

        CREATE TABLE customer (name TEXT);
        CREATE TRIGGER welcome AFTER INSERT ON customer BEGIN
          INSERT INTO task_enqueue (alias, parameters) VALUES ('welcome.send', json_object('to', NEW.name));
        END;
        INSERT INTO customer VALUES ('edsger');
        "#,
    )?;

    // The id that was made, in the same statement.
    let id: String = shop.query_row(
        r#"INSERT INTO task_enqueue (alias, parameters) VALUES ('welcome.send', '{"to": "barbara"}')
           RETURNING (SELECT id FROM task_queue ORDER BY seq DESC LIMIT 1)"#,
        [],
        |row| row.get(0),
    )?;
    println!("barbara's task is {}\n", store.tasks().get(id.parse()?).await?.status);

    // What cannot be is refused by name, and a transaction of one's own is undone as a whole.
    for bad in [
        "INSERT INTO task_enqueue (alias) VALUES ('welcome.sent')",
        "INSERT INTO task_enqueue (alias, parameters) VALUES ('welcome.send', '{to: ada}')",
        "INSERT INTO task_enqueue (alias, priority) VALUES ('welcome.send', 99999)",
    ] {
        if let Err(refused) = shop.execute(bad, []) {
            println!("{bad}\n  -> {refused}");
        }
    }

    println!("\n{}\n", store.runner().run_once().await?);

    let mut look = shop.prepare("SELECT status, parameters, details FROM task ORDER BY id")?;
    let mut rows = look.query([])?;
    while let Some(row) = rows.next()? {
        let (status, parameters): (String, String) = (row.get(0)?, row.get(1)?);
        let details: Option<String> = row.get(2)?;
        println!("{status:8} {parameters:18} {}", details.unwrap_or_default());
    }
    Ok(())
}
