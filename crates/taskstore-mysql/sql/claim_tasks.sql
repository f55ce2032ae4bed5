-- The records and parameters of tasks that were taken from ready, in that order. Read, not locked.
-- 1 tasks as a JSON array
SELECT t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at=0 THEN p.expires_at END,p.timeout,t.queue
 FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task
 STRAIGHT_JOIN task_payload p FORCE INDEX(PRIMARY) ON p.task=t.seq;
