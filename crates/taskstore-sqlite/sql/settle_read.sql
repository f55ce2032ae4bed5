-- Everything that was not plain: keyed, cancel requested, back to the queue, lost, or sent again.
-- 1 task
SELECT turn,status,key_hash,cancel_at IS NOT NULL OR deleted_at IS NOT NULL,last_lease,queue,priority,run_at,definition_id,id FROM task_queue WHERE seq=?1;
