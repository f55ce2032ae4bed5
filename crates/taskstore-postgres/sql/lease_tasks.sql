-- What is still held under leases, in the order of each claim: a pair counts only while its turn is the record's.
-- 1 now or NULL 2 leases
SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint),l.lease,NULL::bigint,NULL::bigint,NULL::bool,
 t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END,p.timeout,t.queue
 FROM task_lease l JOIN task_lease_tasks b ON b.lease=l.lease CROSS JOIN LATERAL unnest(b.tasks,b.turns) WITH ORDINALITY x(task,turn,n)
 JOIN task_queue t ON t.seq=x.task AND t.turn=x.turn AND t.status=0 JOIN task_payload p ON p.task=t.seq
 WHERE l.lease=ANY($2::uuid[]) ORDER BY l.lease,x.n;
