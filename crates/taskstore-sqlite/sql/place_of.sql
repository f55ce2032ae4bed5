-- Where an active task waits: 1 later, 2 ready, 0 it is running. By keys that the record repeats.
-- 1 queue 2 priority 3 run_at 4 task
SELECT CASE WHEN EXISTS(SELECT 1 FROM task_later WHERE run_at=?3 AND task=?4) THEN 1
 WHEN EXISTS(SELECT 1 FROM task_ready WHERE queue=?1 AND priority=?2 AND run_at=?3 AND task=?4) THEN 2 ELSE 0 END;
