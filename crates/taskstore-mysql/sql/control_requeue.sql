-- As if it were new, under the same id.
-- 1 now 2 now 3 task
UPDATE task_queue SET status=0,turn=turn+1,attempts=0,suspect=0,run_at=?,updated_at=?,completed_at=0,progress_done=-1,progress_total=-1
 WHERE seq=?;
