-- How a queue is served.
-- 1 queue 2 paused
INSERT INTO task_queue_state(queue,paused) VALUES($1::text,$2::bool) ON CONFLICT(queue) DO UPDATE SET paused=excluded.paused;
