-- Before a definition changes. An enqueue and a requeue share this lock: what they saw of it holds until they are committed.
-- 1 id
SELECT seq,updated_at,status FROM task_definition FORCE INDEX(task_definition_id) WHERE id=? FOR UPDATE;
