-- What is still held under a lease, in the order of the claim: a pair counts only while its turn is the record's.
-- 1 lease
SELECT t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at=0 THEN p.expires_at END,p.timeout,t.queue
 FROM task_lease_tasks x STRAIGHT_JOIN JSON_TABLE(x.tasks,'$[*]' COLUMNS(task BIGINT PATH '$[0]',turn INT PATH '$[1]')) j
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task AND t.turn=j.turn AND t.status=0
 STRAIGHT_JOIN task_payload p FORCE INDEX(PRIMARY) ON p.task=t.seq WHERE x.lease=?;
