-- The parameters of a task that is purged.
-- 1 task
DELETE FROM task_payload WHERE task=?;
