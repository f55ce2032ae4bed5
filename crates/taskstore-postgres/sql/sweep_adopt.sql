-- Strays get a new turn, which fences whoever may still believe to hold them.
-- 1 now or NULL 2 tasks
UPDATE task_queue SET turn=turn+1,updated_at=COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) WHERE seq=ANY($2::bigint[]);
