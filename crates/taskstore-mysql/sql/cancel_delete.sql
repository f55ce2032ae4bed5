-- The claim has ended, and the request with it.
-- 1 tasks as a JSON array
DELETE c FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_cancel c FORCE INDEX(PRIMARY) ON c.task=j.task;
