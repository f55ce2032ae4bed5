-- What the moves have made of the records, which are locked since they were read: one statement for all.
-- 1 [[task,queue,priority,run_at,status,turn,attempts,suspect,completed_at,deleted_at,cancel_at,progress is void],..] 2 now
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$[0]',queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]',
  priority SMALLINT PATH '$[2]',run_at BIGINT PATH '$[3]',status TINYINT PATH '$[4]',turn INT PATH '$[5]',attempts INT PATH '$[6]',
  suspect TINYINT PATH '$[7]',completed_at BIGINT PATH '$[8]',deleted_at BIGINT PATH '$[9]',cancel_at BIGINT PATH '$[10]',fresh TINYINT PATH '$[11]')) j
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task
 SET t.queue=j.queue,t.priority=j.priority,t.run_at=j.run_at,t.status=j.status,t.turn=j.turn,t.attempts=j.attempts,t.suspect=j.suspect,
  t.completed_at=j.completed_at,t.deleted_at=j.deleted_at,t.cancel_at=j.cancel_at,t.updated_at=?,
  t.progress_done=CASE WHEN j.fresh THEN -1 ELSE t.progress_done END,t.progress_total=CASE WHEN j.fresh THEN -1 ELSE t.progress_total END;
