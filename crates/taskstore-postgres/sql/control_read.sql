-- Every move by anyone starts with the records, locked, also of soft-deleted tasks: a restore wants just those.
-- 1 now or NULL 2 ids
SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint),t.id,t.seq,t.queue,t.priority,t.run_at,t.status,t.definition_id,t.key_hash,t.deleted_at,t.turn,t.completed_at
 FROM task_queue t WHERE t.id=ANY($2::uuid[]) ORDER BY t.id FOR UPDATE;
