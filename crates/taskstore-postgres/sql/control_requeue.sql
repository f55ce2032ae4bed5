-- As if they were new, under the same ids.
-- 1 tasks 2 now
UPDATE task_queue SET status=0,turn=turn+1,attempts=0,suspect=false,run_at=$2::bigint,updated_at=$2,completed_at=NULL,progress_done=NULL,progress_total=NULL
 WHERE seq=ANY($1::bigint[]);
