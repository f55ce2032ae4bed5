//! PostgreSQL: a database of its own for each case, on the server that the URL names. Its statistics
//! are then those of the case, and nothing that was there is touched.
//!
//! What the bench asks the server itself goes over connections that are not encrypted.

mod counters;
pub(super) mod naive;

use std::{path::PathBuf, str::FromStr as _};

use async_trait::async_trait;
use counters::Counters;
use tokio_postgres::{Client, Config, NoTls};

use super::{Engine, Meter, Product, address};
use crate::Result;

/// What a database's own connections are told; the rest of a URL's parameters is for the store.
const PARAMETERS: [&str; 4] = ["host", "port", "user", "password"];

/// A server, and the database on it that the cases use, one after another.
#[derive(Debug)]
pub(super) struct Server {
    /// The database that the user named, from which others are made and removed.
    named: Config,
    database: String,
    url: String,
    product: Product,
    made: bool,
}

impl Server {
    pub(super) async fn at(url: &str) -> Result<Self> {
        let named = config(url)?;
        let product = product(&connect(&named).await?).await?;
        let database = address::new_database();
        let url = address::with_database(url, &database);
        Ok(Self { named, database, url, product, made: false })
    }
}

#[async_trait]
impl Engine for Server {
    fn product(&self) -> &Product {
        &self.product
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn folder(&self) -> Option<PathBuf> {
        None
    }

    fn slowness(&self) -> u64 {
        3
    }

    async fn make(&mut self) -> Result<()> {
        self.remove().await?;
        let client = connect(&self.named).await?;
        // Before it is made, for whoever breaks this off meanwhile.
        self.made = true;
        let create = format!("CREATE DATABASE {} TEMPLATE template0", self.database);
        Ok(client.batch_execute(&create).await?)
    }

    /// The server makes a checkpoint meanwhile, so that the next case begins after one.
    async fn remove(&mut self) -> Result<()> {
        if self.made {
            let client = connect(&self.named).await?;
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database);
            client.batch_execute(&drop).await?;
            self.made = false;
        }
        Ok(())
    }

    async fn meter(&self) -> Result<Box<dyn Meter>> {
        let client = connect(&self.named).await?;
        Ok(Box::new(Counters::new(client, config(&self.url)?, self.database.clone()).await?))
    }
}

/// Of the server that a URL of a store names.
fn config(url: &str) -> Result<Config> {
    Ok(Config::from_str(&address::with_only(url, &PARAMETERS))?)
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with the client, whose calls fail for the same reason.
    tokio::spawn(connection);
    Ok(client)
}

async fn product(client: &Client) -> Result<Product> {
    let setting = async |name: &str| -> Result<String> {
        Ok(client.query_one("SELECT current_setting($1)", &[&name]).await?.try_get(0)?)
    };
    let version = setting("server_version").await?;
    let version = version.split(' ').next().unwrap_or_default();
    let (synchronous, fsync) = (setting("synchronous_commit").await?, setting("fsync").await?);
    let mut settings = Vec::new();
    for name in
        ["full_page_writes", "wal_level", "shared_buffers", "max_wal_size", "checkpoint_timeout"]
    {
        settings.push(format!("{name}={}", setting(name).await?));
    }
    let settings = settings.join(", ");
    Ok(Product {
        name: format!("PostgreSQL {version}"),
        durability: format!("synchronous_commit={synchronous}, fsync={fsync}"),
        notes: vec![
            format!("synchronous_commit={synchronous}, fsync={fsync}; {settings}"),
            "log bytes are by how much the write-ahead log of the server grew; *page images* are the \
             whole pages in it, of up to 8 kB, which are written when a page changes for the first \
             time after a checkpoint; a case begins after one, which has no part in what it measures"
                .into(),
            "commits are those of reading transactions too".into(),
            "*HOT* is the share of updates that no index had to hear of".into(),
        ],
    })
}
