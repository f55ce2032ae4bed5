-- A page in the order of ids.
-- 1 after this id 2 soft-deleted ones too 3 limit
SELECT id,alias,title,description,memo,status,created_at,updated_at,deleted_at FROM task_definition FORCE INDEX(task_definition_id) WHERE id>? AND status<2 AND (? OR deleted_at=0) ORDER BY id LIMIT ?;
