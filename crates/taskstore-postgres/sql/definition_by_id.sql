-- Also a soft-deleted one, but none that was deleted for good (2).
-- 1 id
SELECT id,alias,title,description,memo,status,created_at,updated_at,deleted_at FROM task_definition WHERE id=$1 AND status<2;
