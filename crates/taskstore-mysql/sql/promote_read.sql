-- Due tasks, the earliest first, without what others have locked. Their records are left alone.
-- 1 now 2 limit
SELECT queue,priority,run_at,task,definition_id FROM task_later FORCE INDEX(PRIMARY) WHERE run_at<=?
 ORDER BY run_at,task LIMIT ? FOR UPDATE SKIP LOCKED;
