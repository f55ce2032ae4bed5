-- The queue of each paused task.
-- 1 limit
SELECT t.queue FROM task_aside a CROSS JOIN task_queue t ON t.seq=a.task WHERE a.status=5 LIMIT ?1;
