-- Frees unique keys at the end of their tasks; never those of other tasks.
-- 1 key hashes 2 tasks
DELETE FROM task_unique WHERE key_hash=ANY($1::bytea[]) AND task=ANY($2::bigint[]);
