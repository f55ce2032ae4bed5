-- Who holds these keys, right after they were asked for, some in vain. Read under their locks, for the snapshot of a caller's
-- transaction may be older than a key that is held.
-- 1 key hashes as a JSON array of hexadecimal texts
SELECT u.key_hash,u.task_id FROM JSON_TABLE(?,'$[*]' COLUMNS(k CHAR(64) PATH '$')) j
 STRAIGHT_JOIN task_unique u FORCE INDEX(PRIMARY) ON u.key_hash=UNHEX(j.k) FOR UPDATE /*!80000 OF u */;
