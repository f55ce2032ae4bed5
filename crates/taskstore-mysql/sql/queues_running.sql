-- How many tasks of each queue are held, by the lists of the leases, as far as a limit in all.
-- 1 limit
SELECT c.queue,COUNT(*) FROM (SELECT t.queue FROM task_lease l STRAIGHT_JOIN task_lease_tasks x FORCE INDEX(PRIMARY) ON x.lease=l.lease
 STRAIGHT_JOIN JSON_TABLE(x.tasks,'$[*]' COLUMNS(task BIGINT PATH '$[0]',turn INT PATH '$[1]')) e
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=e.task AND t.turn=e.turn AND t.status=0 LIMIT ?) c GROUP BY c.queue;
