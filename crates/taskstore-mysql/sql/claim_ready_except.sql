-- As claim_ready, but passes by some definitions: filtered on the ready row, so that no lock stays on it.
-- 1 queue 2 definitions as a JSON array of their seqs 3 limit
SELECT r.priority,r.run_at,r.task,r.definition_id FROM task_ready r FORCE INDEX(PRIMARY)
 WHERE r.queue=? AND NOT JSON_CONTAINS(?,CAST(r.definition_id AS CHAR)) ORDER BY r.priority,r.run_at,r.task LIMIT ? FOR UPDATE SKIP LOCKED;
