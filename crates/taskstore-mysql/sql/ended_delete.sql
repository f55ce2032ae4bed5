-- It runs again, or is purged.
-- 1 status 2 completed_at 3 task
DELETE FROM task_ended WHERE status=? AND completed_at=? AND task=?;
