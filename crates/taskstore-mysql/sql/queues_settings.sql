-- The next queues that have settings; as many as queues_ready looks at.
-- 1 after this name
SELECT queue FROM task_queue_state FORCE INDEX(PRIMARY) WHERE queue>? ORDER BY queue LIMIT 200;
