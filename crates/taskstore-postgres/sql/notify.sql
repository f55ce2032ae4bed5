-- A statement of its own after the commit, on a connection of its own: inside the transaction it would hold a lock of the whole
-- database until the commit is on disk.
-- 1 channel 2 what came
SELECT pg_notify($1::text,$2::text);
