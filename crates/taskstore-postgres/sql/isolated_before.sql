-- Only for positions that isolate refused: this very request has moved the task before, so it was sent again. A statement of its own:
-- the first send may have committed while the second waited for the lease, and what it made is not in the second's snapshot.
-- 1 tasks 2 turns 3 new leases
SELECT u.n::int FROM unnest($1::uuid[],$2::int[],$3::uuid[]) WITH ORDINALITY u(task,turn,own,n)
 JOIN task_lease o ON o.lease=u.own JOIN task_lease_tasks b ON b.lease=u.own
 JOIN task_queue t ON t.id=u.task AND t.turn=u.turn+1 AND t.status=0 AND b.tasks[1]=t.seq AND b.turns[1]=t.turn;
