-- The newest record: where a sweep ends.
SELECT coalesce(max(seq),0) FROM task_queue;
