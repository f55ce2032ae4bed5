-- All attempts of a task that is purged.
-- 1 task
DELETE FROM task_result WHERE task=?;
