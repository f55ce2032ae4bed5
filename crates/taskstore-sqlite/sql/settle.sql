-- The end of an attempt, after settle_read has shown that the fence holds: one lock serves the file, so nothing moved since.
-- 1 task 2 status 3 attempts to add 4 suspect 5 run_at 6 now 7 began or NULL 8 ended or NULL 9 lease 10 progress done or NULL 11 progress total or NULL
UPDATE task_queue SET status=?2,turn=turn+1,attempts=attempts+?3,suspect=?4,run_at=?5,updated_at=?6,started_at=coalesce(?7,started_at),completed_at=?8,
 cancel_at=NULL,last_lease=?9,progress_done=coalesce(?10,progress_done),progress_total=coalesce(?11,progress_total) WHERE seq=?1;
