-- It comes back, or goes for good.
-- 1 deleted_at 2 task
DELETE FROM task_deleted WHERE deleted_at=? AND task=?;
