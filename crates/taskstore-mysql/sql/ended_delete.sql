-- They run again, or are purged.
-- 1 [[status,completed_at,task],..]
DELETE e FROM JSON_TABLE(?,'$[*]' COLUMNS(status TINYINT PATH '$[0]',completed_at BIGINT PATH '$[1]',task BIGINT PATH '$[2]')) j
 STRAIGHT_JOIN task_ended e FORCE INDEX(PRIMARY) ON e.status=j.status AND e.completed_at=j.completed_at AND e.task=j.task;
