-- Who holds these keys, locked, in their order. Does not wait for a transaction that has taken one and is still open, perhaps for
-- long: the caller asks again. At READ COMMITTED alone, where a key that is free is not locked.
-- 1 key hashes as a JSON array of hexadecimal texts
SELECT u.key_hash,u.task_id FROM JSON_TABLE(?,'$[*]' COLUMNS(k CHAR(64) PATH '$')) j
 STRAIGHT_JOIN task_unique u FORCE INDEX(PRIMARY) ON u.key_hash=UNHEX(j.k) FOR UPDATE /*!80000 OF u */ NOWAIT;
