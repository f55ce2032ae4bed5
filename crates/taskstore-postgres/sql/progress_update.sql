-- The fence of reports, and how far the tasks have come. A row for each position that holds. The record is locked, so that the
-- lines that follow belong to an attempt that has not ended. `n+0=n` is true, and makes the planner expect few (decision 0063).
-- 1 now or NULL 2 tasks 3 leases 4 turns 5 done or NULL 6 total or NULL 7 whether there is progress
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
w AS MATERIALIZED (SELECT u.n,u.done,u.total,u.has,t.seq FROM unnest($2::uuid[],$3::uuid[],$4::int[],$5::bigint[],$6::bigint[],$7::bool[]) WITH ORDINALITY u(task,lease,turn,done,total,has,n)
 JOIN task_queue t ON t.id=u.task AND t.turn=u.turn AND t.status=0
 WHERE u.n+0=u.n AND EXISTS(SELECT FROM task_lease l JOIN task_lease_tasks b ON b.lease=l.lease CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn)
  WHERE l.lease=u.lease AND x.task=t.seq AND x.turn=u.turn)
 ORDER BY uuid_send(u.task),u.n FOR UPDATE OF t),
z AS MATERIALIZED (SELECT DISTINCT ON (seq) seq,done,total FROM w WHERE has ORDER BY seq,n DESC),
p AS (UPDATE task_queue t SET progress_done=z.done,progress_total=z.total,updated_at=c.now FROM z CROSS JOIN c WHERE t.seq=z.seq)
SELECT n::int,seq FROM w ORDER BY n;
