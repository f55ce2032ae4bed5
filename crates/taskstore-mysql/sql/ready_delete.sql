-- Unplace: by the whole key, which the record repeats, never by a scan. As a join, for `(..) IN (..)` scans a small table.
-- 1 [[queue,priority,run_at,task],..]
DELETE r FROM JSON_TABLE(?,'$[*]' COLUMNS(queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
  priority SMALLINT PATH '$[1]',run_at BIGINT PATH '$[2]',task BIGINT PATH '$[3]')) j
 STRAIGHT_JOIN task_ready r FORCE INDEX(PRIMARY) ON r.queue=j.queue AND r.priority=j.priority AND r.run_at=j.run_at AND r.task=j.task;
