-- The records of a settlement, locked in their order, after their leases.
-- 1 tasks as a JSON array, in their order
SELECT t.seq,t.id,t.turn,t.status,t.key_hash,t.cancel_at<>0,t.deleted_at<>0,t.last_lease,t.queue,t.priority,t.run_at,t.definition_id
 FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task FOR UPDATE /*!80000 OF t */;
