-- Every move by anyone starts with the records, locked in their order, also of soft-deleted tasks: a restore wants just those.
-- 1 tasks as a JSON array, in their order
SELECT t.seq,t.id,t.definition_id,t.key_hash,t.queue,t.priority,t.run_at,t.status,t.turn,t.attempts,t.suspect,t.completed_at,t.deleted_at,t.cancel_at
 FROM JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task FOR UPDATE /*!80000 OF t */;
