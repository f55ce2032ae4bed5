-- The log of tasks that are purged.
-- 1 tasks
DELETE FROM task_log WHERE task=ANY($1::bigint[]);
