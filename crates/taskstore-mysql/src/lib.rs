//! The MySQL and MariaDB backend of **taskstore**.
