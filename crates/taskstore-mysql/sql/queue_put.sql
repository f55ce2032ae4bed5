-- How a queue is served.
-- queue, paused
INSERT INTO task_queue_state(queue,paused) VALUES(?,?) ON DUPLICATE KEY UPDATE paused=VALUES(paused);
