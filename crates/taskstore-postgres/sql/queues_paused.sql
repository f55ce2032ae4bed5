-- How many tasks of each queue are paused, among the first so many.
-- 1 limit
SELECT x.queue,count(*) FROM (SELECT t.queue FROM (SELECT a.task FROM task_aside a WHERE a.status=5 LIMIT $1::bigint) a
 CROSS JOIN LATERAL (SELECT q.queue FROM task_queue q WHERE q.seq=a.task OFFSET 0) t) x GROUP BY x.queue;
