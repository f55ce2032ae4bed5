-- Who holds these keys, as this transaction sees it. No lock: the end of a task must not wait for whoever found its key held.
-- 1 key hashes as a JSON array of hexadecimal texts
SELECT u.key_hash,u.task_id FROM JSON_TABLE(?,'$[*]' COLUMNS(k CHAR(64) PATH '$')) j
 STRAIGHT_JOIN task_unique u FORCE INDEX(PRIMARY) ON u.key_hash=UNHEX(j.k);
