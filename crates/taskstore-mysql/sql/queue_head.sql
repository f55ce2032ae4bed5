-- The first ready task of a queue at the next priority: the earliest there, for the key goes on with the time. Many are sent as one.
-- 1 queue 2 the priority before
SELECT queue,priority,run_at FROM task_ready FORCE INDEX(PRIMARY) WHERE queue=? AND priority>? ORDER BY queue,priority,run_at LIMIT 1;
