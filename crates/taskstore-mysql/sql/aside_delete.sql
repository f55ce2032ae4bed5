-- It is so no more.
-- 1 status 2 task
DELETE FROM task_aside WHERE status=? AND task=?;
