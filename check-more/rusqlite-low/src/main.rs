//! taskstore-sqlite works with the oldest rusqlite that it allows.

use taskstore_sqlite as _;

fn main() {
    println!("SQLite {}", rusqlite::version());
}
