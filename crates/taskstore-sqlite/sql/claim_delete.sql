-- Takes everything up to the last task claimed, in one range: the number of rows must equal the claim.
-- Only when nothing was passed by; otherwise ready_delete, one by one.
-- 1 queue 2 priority 3 run_at 4 task
DELETE FROM task_ready WHERE queue=?1 AND (priority,run_at,task)<=(?2,?3,?4);
