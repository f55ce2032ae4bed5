-- The live one: the condition is that of the partial index.
-- 1 alias
SELECT id,alias,title,description,memo,status,created_at,updated_at,deleted_at FROM task_definition WHERE alias=$1 AND deleted_at IS NULL;
