-- The keys of tasks; also which ids are stored already. No lock.
-- 1 ids as a JSON array
SELECT q.id,q.seq FROM JSON_TABLE(?,'$[*]' COLUMNS(id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) j
 STRAIGHT_JOIN task_queue q FORCE INDEX(task_queue_id) ON q.id=j.id;
