//! The PostgreSQL backend of **taskstore**.
