-- A page in the order of ids.
-- 1 after this id 2 limit 3 soft-deleted ones too
SELECT id,alias,title,description,memo,status,created_at,updated_at,deleted_at FROM task_definition
 WHERE id>$1 AND status<2 AND ($3::boolean OR deleted_at IS NULL) ORDER BY id LIMIT $2::bigint;
