-- Unplace what waits for its time.
-- 1 [[run_at,task],..]
DELETE w FROM JSON_TABLE(?,'$[*]' COLUMNS(run_at BIGINT PATH '$[0]',task BIGINT PATH '$[1]')) j
 STRAIGHT_JOIN task_later w FORCE INDEX(PRIMARY) ON w.run_at=j.run_at AND w.task=j.task;
