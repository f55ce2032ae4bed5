-- What a lease holds, for a settlement of tasks that were not claimed through this connection: read whole once instead of
-- looked through for each. Not read at all where the record shows already that the fence does not hold.
-- 1 lease 2 task 3 turn
SELECT t.seq,t.turn,t.id FROM task_lease_tasks l CROSS JOIN json_each(l.tasks) e
 CROSS JOIN task_queue t ON t.seq=CAST(e.key AS INTEGER) AND t.turn=e.value AND t.status=0
 WHERE l.lease=?1 AND EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=?2 AND q.turn=?3 AND q.status=0);
