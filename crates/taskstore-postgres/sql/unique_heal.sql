-- Frees keys whose holder has ended. The record is locked first, so that a requeue that takes the key again is waited for.
-- 1 key hashes
WITH s AS MATERIALIZED (SELECT k.task FROM task_unique k LEFT JOIN task_queue t ON t.seq=k.task
 WHERE k.key_hash=ANY($1::bytea[]) AND COALESCE(t.status,2) BETWEEN 2 AND 4)
DELETE FROM task_unique WHERE key_hash=ANY($1) AND task=ANY(ARRAY(SELECT task FROM s))
 AND NOT EXISTS(SELECT FROM task_queue t WHERE t.seq=task_unique.task AND t.status IN (0,5));
