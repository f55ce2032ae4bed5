-- Cancel, pause, resume: the status is stored, and the turn fences whoever held it. What has ended is not suspect.
-- 1 to 2 to 3 to 4 now 5 soft delete too 6 now 7 now 8 task
UPDATE task_queue SET status=?,turn=turn+1,suspect=CASE WHEN ?=4 THEN 0 ELSE suspect END,completed_at=CASE WHEN ?=4 THEN ? ELSE 0 END,
 deleted_at=CASE WHEN ? THEN ? ELSE deleted_at END,updated_at=? WHERE seq=?;
