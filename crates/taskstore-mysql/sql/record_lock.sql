-- The record of one task by its id, locked, whatever snapshot the transaction has.
-- 1 id
SELECT t.seq,t.id,t.turn,t.status,t.key_hash,t.cancel_at<>0,t.deleted_at<>0,t.last_lease,t.queue,t.priority,t.run_at,t.definition_id
 FROM task_queue t FORCE INDEX(task_queue_id) WHERE t.id=? FOR UPDATE;
