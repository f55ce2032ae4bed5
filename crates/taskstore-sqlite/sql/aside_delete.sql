-- A task that is no longer failed, canceled or paused.
-- 1 status 2 task
DELETE FROM task_aside WHERE status=?1 AND task=?2;
