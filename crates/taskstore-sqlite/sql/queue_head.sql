-- The first ready task of a queue at the next priority: the earliest there, for the key goes on with the time.
-- 1 queue 2 the priority before
SELECT priority,run_at FROM task_ready WHERE queue=?1 AND priority>?2 ORDER BY priority,run_at LIMIT 1;
