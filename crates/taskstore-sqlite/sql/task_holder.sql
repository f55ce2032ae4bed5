-- Who holds a running task: the lease whose list has it at its present turn. Tens of leases, so they are scanned.
-- 1 task 2 turn
SELECT l.owner,l.claimed_at,l.beat_at FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease
 WHERE json_extract(x.tasks,'$."'||?1||'"')=?2;
