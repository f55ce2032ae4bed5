-- Takes unique keys, unless somebody holds them, in the order of their hashes; the tasks that got theirs.
-- 1 key hashes 2 tasks
INSERT INTO task_unique(key_hash,task) SELECT h,t FROM unnest($1::bytea[],$2::bigint[]) WITH ORDINALITY u(h,t,n) ORDER BY h,n ON CONFLICT DO NOTHING RETURNING task;
