-- The parameters of tasks that are purged.
-- 1 tasks as a JSON array
DELETE p FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_payload p FORCE INDEX(PRIMARY) ON p.task=j.task;
