-- No row changed: the task was sent before, and whatever became of it stays.
-- 1 id 2 queue 3 definition 4 priority 5 run_at 6 key hash or NULL 7 max_attempts 8 now
INSERT INTO task_queue(id,queue,definition_id,priority,run_at,key_hash,max_attempts,created_at,updated_at)
 VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?8) ON CONFLICT(id) DO NOTHING;
