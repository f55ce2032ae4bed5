-- They come back, or go for good.
-- 1 [[deleted_at,task],..]
DELETE x FROM JSON_TABLE(?,'$[*]' COLUMNS(deleted_at BIGINT PATH '$[0]',task BIGINT PATH '$[1]')) j
 STRAIGHT_JOIN task_deleted x FORCE INDEX(PRIMARY) ON x.deleted_at=j.deleted_at AND x.task=j.task;
