-- Expected absent: a unique key says what is there already.
-- 1 id 2 alias 3 title 4 description 5 memo 6 status 7 created_at 8 updated_at 9 deleted_at or 0
INSERT INTO task_definition(id,alias,title,description,memo,status,created_at,updated_at,deleted_at) VALUES(?,?,?,?,?,?,?,?,?);
