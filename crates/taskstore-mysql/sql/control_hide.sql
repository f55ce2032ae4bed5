-- Soft delete of an ended task, or with 0 its restore.
-- 1 now or 0 2 now 3 task
UPDATE task_queue SET deleted_at=?,updated_at=? WHERE seq=?;
