-- As claim_ready, but passes by some definitions: filtered on the ready row, before its record is looked at.
-- 1 queue 2 limit 3 definitions as a JSON array of their seqs
SELECT r.task,t.turn,t.id,r.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,r.priority,r.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END,p.timeout
 FROM task_ready r CROSS JOIN task_queue t ON t.seq=r.task CROSS JOIN task_payload p ON p.task=r.task
 WHERE r.queue=?1 AND r.definition_id NOT IN (SELECT value FROM json_each(?3))
 ORDER BY r.priority,r.run_at,r.task LIMIT ?2;
