-- The server's clock, read once per transaction and passed on: a task due between two readings would be in neither place.
SELECT CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED);
