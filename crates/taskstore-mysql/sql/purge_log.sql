-- The log of a task that is purged.
-- 1 task
DELETE FROM task_log WHERE task=?;
