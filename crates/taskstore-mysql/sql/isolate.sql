-- Tasks leave their shared lease, whose list keeps pairs that no longer match. Their records are locked.
-- 1 tasks as a JSON array 2 now
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task
 SET t.turn=t.turn+1,t.updated_at=?;
