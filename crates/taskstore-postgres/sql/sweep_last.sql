-- The newest record: where a sweep ends.
SELECT COALESCE(max(seq),0) FROM task_queue;
