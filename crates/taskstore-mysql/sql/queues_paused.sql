-- How many tasks of each queue are paused, as far as a limit in all.
-- 1 limit
SELECT c.queue,COUNT(*) FROM (SELECT t.queue FROM task_aside a FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=a.task WHERE a.status=5 LIMIT ?) c GROUP BY c.queue;
