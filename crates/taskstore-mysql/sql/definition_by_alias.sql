-- The live one: live_alias is NULL in those that are deleted, which a unique key does not compare.
-- 1 alias
SELECT id,alias,title,description,memo,status,created_at,updated_at,deleted_at FROM task_definition WHERE live_alias=?;
