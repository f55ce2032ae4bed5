-- Tasks that may be strays, once more and under their locks: the columns of lease_tasks. NULL: the parameters are gone.
-- 1 tasks as a JSON array, in their order
SELECT t.seq,t.turn,t.id,t.definition_id,(SELECT p.parameters FROM task_payload p WHERE p.task=t.seq),t.attempts,t.max_attempts,t.suspect,
 t.priority,t.run_at,t.key_hash IS NOT NULL,
 CASE WHEN t.started_at=0 THEN (SELECT p.expires_at FROM task_payload p WHERE p.task=t.seq) END,
 (SELECT p.timeout FROM task_payload p WHERE p.task=t.seq),t.queue
 FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task WHERE t.status=0;
