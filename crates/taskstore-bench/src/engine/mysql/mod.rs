//! MySQL and MariaDB: a database of its own for each case, on the server that the URL names. Nothing
//! that was there is touched.
//!
//! What the bench asks the server itself goes over connections that are not encrypted.

mod counters;
pub(super) mod naive;

use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use counters::Counters;
use mysql_async::{Conn, Opts, prelude::Queryable as _};

use super::{Engine, Meter, Product, address};
use crate::Result;

/// A server, and the database on it that the cases use, one after another.
#[derive(Debug)]
pub(super) struct Server {
    /// The database that the user named, from which others are made and removed.
    named: Opts,
    database: String,
    url: String,
    product: Product,
    made: bool,
}

impl Server {
    pub(super) async fn at(url: &str) -> Result<Self> {
        let named = options(url)?;
        let mut connection = connect(&named).await?;
        let product = product(&mut connection).await?;
        connection.disconnect().await?;
        let database = address::new_database();
        let url = address::with_database(url, &database);
        Ok(Self { named, database, url, product, made: false })
    }

    async fn run(&self, statement: &str) -> Result<()> {
        let mut connection = connect(&self.named).await?;
        connection.query_drop(statement).await?;
        Ok(connection.disconnect().await?)
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
        // Before it is made, for whoever breaks this off meanwhile.
        self.made = true;
        self.run(&format!("CREATE DATABASE {}", self.database)).await
    }

    async fn remove(&mut self) -> Result<()> {
        if self.made {
            self.run(&format!("DROP DATABASE IF EXISTS {}", self.database)).await?;
            self.made = false;
        }
        Ok(())
    }

    async fn meter(&self) -> Result<Box<dyn Meter>> {
        let connection = connect(&self.named).await?;
        Ok(Box::new(Counters::new(connection, self.database.clone()).await?))
    }
}

/// Of the server that a URL of a store names.
fn options(url: &str) -> Result<Opts> {
    let url = address::with_only(url, &[]);
    let rest = url.split_once("://").map_or(&*url, |(_, rest)| rest);
    Ok(Opts::from_url(&format!("mysql://{rest}"))?)
}

async fn connect(options: &Opts) -> Result<Conn> {
    Ok(Conn::new(options.clone()).await?)
}

/// The server's settings and the like, as it names them.
async fn named_values(connection: &mut Conn, show: &str) -> Result<BTreeMap<String, String>> {
    Ok(connection.query::<(String, String), _>(show).await?.into_iter().collect())
}

async fn product(connection: &mut Conn) -> Result<Product> {
    let settings = named_values(connection, "SHOW GLOBAL VARIABLES").await?;
    let setting = |name: &str| settings.get(name).map_or("", String::as_str);
    let shown = |names: &[&str]| {
        let known = names.iter().filter(|name| settings.contains_key(**name));
        known.map(|name| format!("{name}={}", setting(name))).collect::<Vec<_>>().join(", ")
    };
    let version = setting("version");
    let engine = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    let number = version.split('-').next().unwrap_or_default();
    let flush = shown(&["innodb_flush_log_at_trx_commit"]);
    let binlog = if setting("log_bin") == "ON" {
        shown(&["sync_binlog", "binlog_format", "binlog_row_image"])
    } else {
        "no binary log".into()
    };
    let sync = if setting("log_bin") == "ON" { shown(&["sync_binlog"]) } else { binlog.clone() };
    let rest = shown(&[
        "innodb_buffer_pool_size",
        "innodb_redo_log_capacity",
        "innodb_log_file_size",
        "innodb_doublewrite",
    ]);
    Ok(Product {
        name: format!("{engine} {number}"),
        durability: format!("{flush}, {sync}"),
        notes: vec![
            format!("{flush}, {binlog}; {rest}"),
            "log bytes are by how much InnoDB's redo log grew; what purges old rows later is not in \
             them"
                .into(),
            "commits are those that were asked for; a statement outside of a transaction, as the \
             naive queue's second, commits without"
                .into(),
        ],
    })
}
