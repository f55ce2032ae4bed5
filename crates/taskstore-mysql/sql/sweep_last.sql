-- The newest record: where a sweep ends.
SELECT COALESCE(MAX(seq),0) FROM task_queue;
