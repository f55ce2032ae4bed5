-- Frees unique keys at the end of their tasks, in their order; never that of another task.
-- 1 [[key hash in hexadecimal, task id],..]
DELETE u FROM JSON_TABLE(?,'$[*]' COLUMNS(k CHAR(64) PATH '$[0]',id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]')) j
 STRAIGHT_JOIN task_unique u FORCE INDEX(PRIMARY) ON u.key_hash=UNHEX(j.k) AND u.task_id=j.id;
