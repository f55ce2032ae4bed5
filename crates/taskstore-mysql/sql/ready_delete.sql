-- Unplace, after later_delete found nothing: by the whole key, which the record repeats, never by a scan.
-- 1 queue 2 priority 3 run_at 4 task
DELETE FROM task_ready WHERE queue=? AND priority=? AND run_at=? AND task=?;
