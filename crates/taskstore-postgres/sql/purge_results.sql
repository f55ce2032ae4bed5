-- All attempts of tasks that are purged.
-- 1 tasks
DELETE FROM task_result WHERE task=ANY($1::bigint[]);
