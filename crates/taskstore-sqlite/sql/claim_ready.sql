-- The head of a queue in claim order, straight down the primary key. No run_at <= now: what is ready is due, so a clock
-- that steps back hides nothing. CROSS JOIN fixes the order; there is no lock to skip, the file has one.
-- 1 queue 2 limit
SELECT r.task,t.turn,t.id,r.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,r.priority,r.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END,p.timeout
 FROM task_ready r CROSS JOIN task_queue t ON t.seq=r.task CROSS JOIN task_payload p ON p.task=r.task
 WHERE r.queue=?1 ORDER BY r.priority,r.run_at,r.task LIMIT ?2;
