-- The book of migrations: made first, dropped last. `compatible_from` is the oldest code, named by
-- the number of its own newest migration, that can still work with the tables after this one, so
-- that old processes survive a rolling deploy.
CREATE TABLE IF NOT EXISTS task_migration(
 version integer PRIMARY KEY,
 name text NOT NULL,
 checksum text NOT NULL,                              -- SHA-256 of the file, in hexadecimal
 compatible_from integer NOT NULL,
 applied_at bigint NOT NULL);                         -- microseconds since 1970, UTC
