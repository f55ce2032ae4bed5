-- The head of a queue in claim order, straight down the primary key, without what others have locked. No run_at <= now: what is
-- ready is due, so a clock that steps back hides nothing. No record is locked: control then waits for the row, and finds it gone.
-- 1 queue 2 limit
SELECT priority,run_at,task,definition_id FROM task_ready FORCE INDEX(PRIMARY) WHERE queue=?
 ORDER BY priority,run_at,task LIMIT ? FOR UPDATE SKIP LOCKED;
