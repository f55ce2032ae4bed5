-- Which of these active tasks are ready, after later_lock found them not. Waits for a claim that has just taken one: gone then.
-- 1 [[queue,priority,run_at,task],..]
SELECT r.task,r.definition_id FROM JSON_TABLE(?,'$[*]' COLUMNS(queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
  priority SMALLINT PATH '$[1]',run_at BIGINT PATH '$[2]',task BIGINT PATH '$[3]')) j
 STRAIGHT_JOIN task_ready r FORCE INDEX(PRIMARY) ON r.queue=j.queue AND r.priority=j.priority AND r.run_at=j.run_at AND r.task=j.task FOR UPDATE /*!80000 OF r */;
