-- Due tasks become claimable, the earliest first; their records are left alone.
-- 1 now 2 limit
INSERT INTO task_ready(queue,priority,run_at,task,definition_id) SELECT queue,priority,run_at,task,definition_id
 FROM task_later WHERE run_at<=?1 ORDER BY run_at,task LIMIT ?2;
