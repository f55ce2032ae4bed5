-- The records of ended tasks, for good. A seq is never used again, so whoever remembers one finds nothing.
-- 1 tasks as a JSON array
DELETE t FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task;
