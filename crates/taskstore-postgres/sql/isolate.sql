-- Moves tasks out of shared leases, each into a lease of its own: turn + 1, owner, length and the claim's time kept. A row for each
-- position that was moved; isolated_before knows of the others. The old list keeps a pair that no longer matches.
-- 1 now or NULL 2 tasks 3 leases 4 turns 5 new leases
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
l AS MATERIALIZED (SELECT lease,owner,claimed_at,length,open FROM task_lease WHERE lease=ANY($3::uuid[]) ORDER BY lease FOR UPDATE),
b AS MATERIALIZED (SELECT b.lease,x.task,x.turn FROM task_lease_tasks b CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn) WHERE b.lease=ANY($3)),
w AS MATERIALIZED (SELECT u.*,l.owner,l.claimed_at,l.length FROM unnest($2::uuid[],$3,$4::int[],$5::uuid[]) WITH ORDINALITY u(task,lease,turn,own,n)
 JOIN l ON l.lease=u.lease WHERE NOT EXISTS(SELECT FROM task_lease o WHERE o.lease=u.own) ORDER BY u.task,u.n),
fin AS (UPDATE task_queue t SET turn=t.turn+1,updated_at=c.now FROM w CROSS JOIN c
 WHERE t.id=w.task AND t.turn=w.turn AND t.status=0 AND ((w.lease,t.seq,w.turn) IN (SELECT lease,task,turn FROM b)) IS TRUE
 RETURNING w.n,w.lease,w.own,w.owner,w.claimed_at,w.length,c.now,t.seq,t.turn),
lc AS MATERIALIZED (SELECT x.lease,x.n,l.open FROM (SELECT lease,count(*)::int AS n FROM fin GROUP BY lease) x JOIN l ON l.lease=x.lease),
lu AS (UPDATE task_lease t SET open=t.open-lc.n FROM lc WHERE t.lease=lc.lease AND lc.open>lc.n),
ld AS (DELETE FROM task_lease WHERE lease=ANY(ARRAY(SELECT lease FROM lc WHERE open<=n))),
lx AS (DELETE FROM task_lease_tasks WHERE lease=ANY(ARRAY(SELECT lease FROM lc WHERE open<=n))),
ln AS (INSERT INTO task_lease(lease,owner,beat_at,length,claimed_at,open,alone) SELECT own,owner,now,length,claimed_at,1,true FROM fin),
lt AS (INSERT INTO task_lease_tasks(lease,tasks,turns) SELECT own,ARRAY[seq],ARRAY[turn] FROM fin)
SELECT n::int FROM fin;
