-- Expected absent: no row where the id or the alias is there already, which is then looked up. Not an error, which would end the
-- transaction.
-- 1 id 2 alias 3 title 4 description 5 memo 6 status 7 created_at 8 updated_at 9 deleted_at or NULL
INSERT INTO task_definition(id,alias,title,description,memo,status,created_at,updated_at,deleted_at) VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9)
 ON CONFLICT DO NOTHING;
