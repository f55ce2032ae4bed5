-- Whoever deletes the row has the task: the number of rows must equal the claim. As a join, for `(..) IN (..)` scans a small
-- table, waits for locks of others there, and deadlocks.
-- 1 [[priority,run_at,task],..] 2 queue
DELETE r FROM JSON_TABLE(?,'$[*]' COLUMNS(priority SMALLINT PATH '$[0]',run_at BIGINT PATH '$[1]',task BIGINT PATH '$[2]')) j
 STRAIGHT_JOIN task_ready r FORCE INDEX(PRIMARY) ON r.queue=? AND r.priority=j.priority AND r.run_at=j.run_at AND r.task=j.task;
