//! The same handler from a queue and from a command line.
//!
//! ```console
//! $ cargo run --example hello_world
//! $ cargo run --example hello_world -- HelloWorldTask --name="Tom Jones"
//! $ cargo run --example hello_world -- HelloWorldTask --name="Tom Jones" --enqueue
//! $ cargo run --example hello_world -- list
//! ```

use serde::{Deserialize, Serialize};
use taskstore::{TaskContext, TaskHandler, TaskResult};

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Hello {
    name: Option<String>,
    /// Put it into the queue instead of doing it here.
    enqueue: bool,
}

struct HelloWorldTask;

impl TaskHandler for HelloWorldTask {
    const ALIAS: &'static str = "HelloWorldTask";
    const TITLE: &'static str = "Hello World";
    const DESCRIPTION: &'static str = "Say hello world";
    type Params = Hello;
    type Output = ();

    async fn run(&self, ctx: TaskContext, hello: Hello) -> TaskResult<()> {
        if hello.enqueue && !ctx.is_queued() {
            let later = Hello { enqueue: false, ..hello };
            let id = ctx.store().enqueue::<Self>(later).await?;
            ctx.log_success(format!("task {id} is in the queue"));
            return Ok(());
        }
        ctx.log_info(format!("Hello {}!", hello.name.as_deref().unwrap_or("World")));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("sqlite://hello_world.db").auto_migrate(true).await?;
    store.register(HelloWorldTask).await?;

    let mut args = std::env::args().skip(1);
    if let Some(alias) = args.next() {
        let report = store.execute_cli(alias, args).log_to(std::io::stderr()).await?.to_string();
        if !report.is_empty() {
            println!("{report}");
        }
        return Ok(());
    }

    let id = store
        .enqueue::<HelloWorldTask>(Hello { name: Some("Tom Jones".into()), enqueue: false })
        .await?;
    println!("{}", store.runner().run_once().await?);
    for line in store.tasks().log(id).await? {
        println!("{line}");
    }
    Ok(())
}
