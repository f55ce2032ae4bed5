-- Every move by anyone starts with the record, also of a soft-deleted task: a restore wants just those.
-- 1 id
SELECT seq,queue,priority,run_at,status,definition_id,key_hash,deleted_at,turn,completed_at FROM task_queue WHERE id=?1;
