-- Also a soft-deleted one.
-- 1 id
SELECT id,alias,title,description,memo,status,created_at,updated_at,deleted_at FROM task_definition WHERE id=?1;
