-- The records of ended tasks, for good. Their seqs are never used again, so whoever remembers them finds nothing.
-- 1 tasks
DELETE FROM task_queue WHERE seq=ANY($1::bigint[]);
