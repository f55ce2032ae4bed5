-- The book of migrations: made first, dropped last. `compatible_from` is the oldest code, named by
-- the number of its own newest migration, that can still work with the tables after this one, so
-- that old processes survive a rolling deploy.
CREATE TABLE IF NOT EXISTS task_migration(
 version INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 checksum TEXT NOT NULL,                              -- SHA-256 of the file, in hexadecimal
 compatible_from INTEGER NOT NULL,
 applied_at INTEGER NOT NULL) STRICT;                 -- microseconds since 1970, UTC
