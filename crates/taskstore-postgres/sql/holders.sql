-- Who holds which of these tasks at which turn: all leases at once, of which there are tens.
-- 1 tasks
SELECT e.task,e.turn,l.owner,l.claimed_at,l.beat_at FROM task_lease l JOIN task_lease_tasks b ON b.lease=l.lease
 CROSS JOIN LATERAL unnest(b.tasks,b.turns) AS e(task,turn) WHERE e.task=ANY($1::bigint[]);
