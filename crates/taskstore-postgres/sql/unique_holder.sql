-- Who holds unique keys.
-- 1 key hashes
SELECT u.key_hash,t.id FROM task_unique u JOIN task_queue t ON t.seq=u.task WHERE u.key_hash=ANY($1::bytea[]);
