-- They are so no more.
-- 1 [[status,task],..]
DELETE a FROM JSON_TABLE(?,'$[*]' COLUMNS(status TINYINT PATH '$[0]',task BIGINT PATH '$[1]')) j
 STRAIGHT_JOIN task_aside a FORCE INDEX(PRIMARY) ON a.status=j.status AND a.task=j.task;
