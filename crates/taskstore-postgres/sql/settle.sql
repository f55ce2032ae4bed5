-- Ends attempts, all in one statement: what happened to each task was decided by the caller, and comes as data. A row for each
-- position whose fence held: the lease is there, locked, and lists the task at this turn; the record has its turn and is active. What asks
-- to go back yields to a cancel request and a soft delete.
--
-- The lease is locked from the start: `open` read under the lock is true, and the row goes with its last task. The list is asked
-- through a hash (IS TRUE keeps it from becoming a join). `n+0=n` is true, and makes the planner expect few (decision 0063).
-- 1 now or NULL 2 tasks 3 leases 4 turns 5 statuses, 0 back to the queue 6 attempts to add 7 suspect 8 delays, NULL: where it stood
-- 9 from the claim to the beginning, or NULL 10 from there to the end 11 outputs 12 errors 13 progress done 14 progress total
-- 15 the different leases
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
l AS MATERIALIZED (SELECT lease,owner,claimed_at,open FROM task_lease WHERE lease=ANY($15::uuid[]) ORDER BY lease FOR UPDATE),
b AS MATERIALIZED (SELECT b.lease,x.task,x.turn FROM task_lease_tasks b CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn) WHERE b.lease=ANY($15)),
w AS MATERIALIZED (SELECT u.*,l.owner,l.claimed_at,l.claimed_at+u.began AS s,l.claimed_at+u.began+u.ran AS f
 FROM unnest($2::uuid[],$3::uuid[],$4::int[],$5::smallint[],$6::smallint[],$7::bool[],$8::bigint[],$9::bigint[],$10::bigint[],$11::text[],$12::text[],
  $13::bigint[],$14::bigint[]) WITH ORDINALITY u(task,lease,turn,st,inc,sus,delay,began,ran,o,e,done,total,n)
 JOIN l ON l.lease=u.lease WHERE u.n+0=u.n ORDER BY u.task,u.n),
fin AS (UPDATE task_queue t SET turn=t.turn+1,attempts=t.attempts+w.inc,updated_at=c.now,last_lease=w.lease,cancel_at=NULL,
  started_at=COALESCE(w.s,t.started_at),progress_done=COALESCE(w.done,t.progress_done),progress_total=COALESCE(w.total,t.progress_total),
  status=CASE WHEN w.st=0 AND (t.cancel_at IS NOT NULL OR t.deleted_at IS NOT NULL) THEN 4 ELSE w.st END,
  suspect=w.sus AND t.cancel_at IS NULL AND t.deleted_at IS NULL,
  completed_at=CASE WHEN w.st<>0 OR t.cancel_at IS NOT NULL OR t.deleted_at IS NOT NULL THEN COALESCE(w.f,c.now) END,
  run_at=CASE WHEN w.st=0 AND t.cancel_at IS NULL AND t.deleted_at IS NULL AND w.delay IS NOT NULL THEN LEAST(c.now+w.delay,253402300799999999) ELSE t.run_at END
 FROM w CROSS JOIN c WHERE t.id=w.task AND t.turn=w.turn AND t.status=0 AND ((w.lease,t.seq,w.turn) IN (SELECT lease,task,turn FROM b)) IS TRUE
 RETURNING w.n,w.lease,w.owner,w.claimed_at,w.s,w.f,w.o,w.e,w.delay,c.now,t.seq,t.turn,t.status,t.run_at,t.completed_at,t.deleted_at,t.definition_id,t.priority,t.queue,t.key_hash),
rr AS (INSERT INTO task_ready(task,run_at,definition_id,priority,queue) SELECT seq,run_at,definition_id,priority,queue FROM fin WHERE status=0 AND (delay IS NULL OR run_at<=now)),
rl AS (INSERT INTO task_later(task,run_at,definition_id,priority,queue) SELECT seq,run_at,definition_id,priority,queue FROM fin WHERE status=0 AND delay IS NOT NULL AND run_at>now),
uq AS (DELETE FROM task_unique WHERE key_hash=ANY(ARRAY(SELECT key_hash FROM fin WHERE status<>0 AND key_hash IS NOT NULL))
 AND task=ANY(ARRAY(SELECT seq FROM fin WHERE status<>0 AND key_hash IS NOT NULL))),
en AS (INSERT INTO task_ended(status,deleted,completed_at,task) SELECT status,deleted_at IS NOT NULL,completed_at,seq FROM fin WHERE status<>0),
aa AS (INSERT INTO task_aside(status,task) SELECT status,seq FROM fin WHERE status IN (3,4)),
re AS (INSERT INTO task_result(task,turn,status,started_at,ended_at,owner,output,error)
 SELECT seq,turn-1,status,COALESCE(s,claimed_at),COALESCE(f,now),owner,o,e FROM fin WHERE o IS NOT NULL OR e IS NOT NULL),
lc AS MATERIALIZED (SELECT x.lease,x.n,l.open FROM (SELECT lease,count(*)::int AS n FROM fin GROUP BY lease) x JOIN l ON l.lease=x.lease),
lu AS (UPDATE task_lease t SET open=t.open-lc.n FROM lc WHERE t.lease=lc.lease AND lc.open>lc.n),
ld AS (DELETE FROM task_lease WHERE lease=ANY(ARRAY(SELECT lease FROM lc WHERE open<=n))),
lx AS (DELETE FROM task_lease_tasks WHERE lease=ANY(ARRAY(SELECT lease FROM lc WHERE open<=n)))
SELECT n::int,status,seq,CASE WHEN status=0 THEN queue END,CASE WHEN status=0 AND delay IS NOT NULL AND run_at>now THEN run_at-now END FROM fin;
