-- A requeue: whoever asks for it again does not want it to expire. Writes nothing where it would not.
-- 1 tasks
UPDATE task_payload SET expires_at=NULL WHERE task=ANY($1::bigint[]) AND expires_at IS NOT NULL;
