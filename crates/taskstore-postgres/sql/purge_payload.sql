-- The parameters of tasks that are purged.
-- 1 tasks
DELETE FROM task_payload WHERE task=ANY($1::bigint[]);
