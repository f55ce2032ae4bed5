-- A task that may be a stray, once more and under the lock: the columns of lease_tasks. NULL: the parameters are gone.
-- 1 task
SELECT t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END,p.timeout,t.queue
 FROM task_queue t LEFT JOIN task_payload p ON p.task=t.seq WHERE t.seq=?1 AND t.status=0;
