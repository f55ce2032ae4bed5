-- Cancel, pause, resume: the status is stored, and the turn fences whoever held it. What has ended is not suspect.
-- 1 task 2 to 3 now 4 soft delete too
UPDATE task_queue SET status=?2,turn=turn+1,suspect=CASE WHEN ?2=4 THEN 0 ELSE suspect END,completed_at=CASE WHEN ?2=4 THEN ?3 END,deleted_at=CASE WHEN ?4 THEN ?3 ELSE deleted_at END,updated_at=?3
 WHERE seq=?1;
