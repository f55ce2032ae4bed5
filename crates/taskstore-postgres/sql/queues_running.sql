-- How many tasks of each queue are held, by the lists of the leases, among the first so many.
-- 1 limit
SELECT x.queue,count(*) FROM (SELECT t.queue FROM task_lease l JOIN task_lease_tasks b ON b.lease=l.lease
 CROSS JOIN LATERAL unnest(b.tasks,b.turns) AS e(task,turn)
 CROSS JOIN LATERAL (SELECT q.queue FROM task_queue q WHERE q.seq=e.task AND q.turn=e.turn AND q.status=0 OFFSET 0) t LIMIT $1::bigint) x
 GROUP BY x.queue;
