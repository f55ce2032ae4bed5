-- The definitions of tasks to store. Locked against their deletion alone, shared: enqueues do not wait for each other.
-- 1 ids as a JSON array
SELECT d.seq,d.id,d.status,d.deleted_at<>0 FROM JSON_TABLE(?,'$[*]' COLUMNS(id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) j
 STRAIGHT_JOIN task_definition d FORCE INDEX(task_definition_id) ON d.id=j.id /*M! LOCK IN SHARE MODE */ /*!80000 FOR SHARE OF d */;
