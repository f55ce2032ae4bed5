-- What is still held under a lease, in the order of the claim: a pair counts only while its turn is the record's.
-- 1 lease
SELECT t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END,p.timeout,t.queue
 FROM task_lease_tasks l CROSS JOIN json_each(l.tasks) e
 CROSS JOIN task_queue t ON t.seq=CAST(e.key AS INTEGER) AND t.turn=e.value AND t.status=0
 CROSS JOIN task_payload p ON p.task=t.seq WHERE l.lease=?1;
