-- The ends of attempts, after settle_read has shown that the fences hold: all in one statement, each with its own times. What is
-- written has a fixed width, so that the row is changed in place. 0 keeps the time it began, -1 the progress.
-- 1 [[task,status,attempts to add,suspect,run_at,began,ended,lease in hexadecimal,progress done,progress total],..] 2 now
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$[0]',status TINYINT PATH '$[1]',attempts INT PATH '$[2]',suspect TINYINT PATH '$[3]',
  run_at BIGINT PATH '$[4]',began BIGINT PATH '$[5]',ended BIGINT PATH '$[6]',lease CHAR(32) PATH '$[7]',done BIGINT PATH '$[8]',total BIGINT PATH '$[9]')) j
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=j.task
 SET t.status=j.status,t.turn=t.turn+1,t.attempts=t.attempts+j.attempts,t.suspect=j.suspect,t.run_at=j.run_at,t.updated_at=?,
  t.started_at=CASE WHEN j.began=0 THEN t.started_at ELSE j.began END,t.completed_at=j.ended,t.cancel_at=0,t.last_lease=UNHEX(j.lease),
  t.progress_done=CASE WHEN j.total<0 THEN t.progress_done ELSE j.done END,
  t.progress_total=CASE WHEN j.total<0 THEN t.progress_total ELSE j.total END;
