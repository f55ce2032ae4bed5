-- Unplace, always tried first: a task moves from later to ready and never back by itself, so found in neither means running.
-- 1 run_at 2 task
DELETE FROM task_later WHERE run_at=? AND task=?;
