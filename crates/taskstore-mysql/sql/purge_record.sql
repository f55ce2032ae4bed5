-- The record of an ended task, for good. Its seq is never used again, so whoever remembers it finds nothing.
-- 1 task
DELETE FROM task_queue WHERE seq=?;
