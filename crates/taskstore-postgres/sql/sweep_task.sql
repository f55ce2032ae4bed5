-- A task that may be a stray, once more, after sweep_lock: in no place and held by nobody. The columns of lease_tasks; NULL
-- parameters are gone, and so is the definition where the last column says so.
-- 1 now or NULL 2 task
SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint),NULL::uuid,NULL::bigint,NULL::bigint,NULL::bool,
 t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END,p.timeout,t.queue,NOT EXISTS(SELECT FROM task_definition d WHERE d.id=t.definition_id)
 FROM task_queue t LEFT JOIN task_payload p ON p.task=t.seq WHERE t.seq=$2::bigint AND t.status=0
 AND NOT EXISTS(SELECT FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq)
 AND NOT EXISTS(SELECT FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq)
 AND NOT EXISTS(SELECT FROM task_lease l JOIN task_lease_tasks b ON b.lease=l.lease CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn)
  WHERE x.task=t.seq AND x.turn=t.turn);
