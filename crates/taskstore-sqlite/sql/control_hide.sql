-- Soft delete of an ended task, or with NULL its restore.
-- 1 task 2 now or NULL 3 now
UPDATE task_queue SET deleted_at=?2,updated_at=?3 WHERE seq=?1;
