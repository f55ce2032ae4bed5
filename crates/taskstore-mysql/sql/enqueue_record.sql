-- The ids were looked for before: one that came meanwhile is refused by its key, and the whole is done anew.
-- id, queue, definition, priority, run_at, key hash or NULL, max_attempts, now, now
INSERT INTO task_queue(id,queue,definition_id,priority,run_at,key_hash,max_attempts,created_at,updated_at)
 VALUES(?,?,?,?,?,?,?,?,?);
