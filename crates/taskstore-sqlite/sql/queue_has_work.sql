-- Whether a claim would find something: asked by a reader after another process has written.
-- 1 queue
SELECT 1 FROM task_ready r CROSS JOIN task_definition d ON d.seq=r.definition_id
 WHERE r.queue=?1 AND d.status=0 AND NOT EXISTS(SELECT 1 FROM task_queue_state s WHERE s.queue=?1 AND s.paused<>0) LIMIT 1;
