-- The book of migrations: made first, dropped last. `compatible_from` is the oldest code, named by
-- the number of its own newest migration, that can still work with the tables after this one, so
-- that old processes survive a rolling deploy. A version is entered after its statements: DDL ends
-- its own transaction here, so a migration that was cut off is run again, and every statement of it
-- must find its work half done.
CREATE TABLE IF NOT EXISTS task_migration(
 version INT NOT NULL PRIMARY KEY,
 name VARCHAR(64) NOT NULL,
 checksum CHAR(64) NOT NULL,
 compatible_from INT NOT NULL,
 applied_at BIGINT NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=ascii;
