-- As queues_ready, of what waits for its time: over an index of its own, for the primary key begins with the time.
-- 1 after this name
SELECT DISTINCT c.queue FROM (SELECT queue FROM task_later FORCE INDEX(task_later_queue) WHERE queue>? ORDER BY queue LIMIT 200) c;
