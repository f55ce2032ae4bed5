-- Frees a unique key at the end of its task; never that of another task.
-- 1 key hash 2 task
DELETE FROM task_unique WHERE key_hash=?1 AND task=?2;
