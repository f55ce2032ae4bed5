-- How far running tasks have come. Their records are locked.
-- 1 [[task,done,total],..] 2 now
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$[0]',done BIGINT PATH '$[1]',total BIGINT PATH '$[2]')) j
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task SET t.progress_done=j.done,t.progress_total=j.total,t.updated_at=?;
