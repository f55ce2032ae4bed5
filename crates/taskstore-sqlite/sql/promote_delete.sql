-- The same rows, as one range from the front. Only when some were moved.
-- 1 how many were moved, less one
DELETE FROM task_later WHERE (run_at,task)<=(SELECT run_at,task FROM task_later ORDER BY run_at,task LIMIT 1 OFFSET ?1);
