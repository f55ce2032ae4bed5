-- The logs of tasks that are purged.
-- 1 tasks as a JSON array
DELETE g FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_log g FORCE INDEX(PRIMARY) ON g.task=j.task;
