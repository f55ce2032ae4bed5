-- How far a running task has come.
-- 1 task 2 done 3 total 4 now
UPDATE task_queue SET progress_done=?2,progress_total=?3,updated_at=?4 WHERE seq=?1;
