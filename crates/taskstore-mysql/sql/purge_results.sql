-- All attempts of tasks that are purged.
-- 1 tasks as a JSON array
DELETE r FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_result r FORCE INDEX(PRIMARY) ON r.task=j.task;
