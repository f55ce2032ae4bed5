-- The key of a task inside the file; also whether its id is stored already.
-- 1 id
SELECT seq FROM task_queue WHERE id=?1;
