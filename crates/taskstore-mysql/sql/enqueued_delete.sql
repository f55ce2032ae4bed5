-- The same rows: their tasks are stored.
-- 1 numbers as a JSON array
DELETE e FROM JSON_TABLE(?,'$[*]' COLUMNS(n BIGINT PATH '$')) j STRAIGHT_JOIN task_enqueue e FORCE INDEX(PRIMARY) ON e.n=j.n;
