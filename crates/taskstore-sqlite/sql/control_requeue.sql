-- As if it were new, under the same id.
-- 1 task 2 now
UPDATE task_queue SET status=0,turn=turn+1,attempts=0,suspect=0,run_at=?2,updated_at=?2,completed_at=NULL,progress_done=NULL,progress_total=NULL
 WHERE seq=?1;
