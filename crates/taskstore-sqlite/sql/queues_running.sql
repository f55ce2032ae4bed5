-- The queue of each task that is held, by the lists of the leases. Counted by whoever reads it: a GROUP BY would sort.
-- 1 limit
SELECT t.queue FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease CROSS JOIN json_each(x.tasks) e
 CROSS JOIN task_queue t ON t.seq=CAST(e.key AS INTEGER) AND t.turn=e.value AND t.status=0 LIMIT ?1;
