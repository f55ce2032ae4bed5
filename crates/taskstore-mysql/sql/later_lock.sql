-- Which of these active tasks wait in later: their rows are the right to move them. Asked before ready_lock.
-- 1 [[run_at,task],..]
SELECT w.task,w.priority FROM JSON_TABLE(?,'$[*]' COLUMNS(run_at BIGINT PATH '$[0]',task BIGINT PATH '$[1]')) j
 STRAIGHT_JOIN task_later w FORCE INDEX(PRIMARY) ON w.run_at=j.run_at AND w.task=j.task FOR UPDATE /*!80000 OF w */;
