-- A success without output has no row of its own: its times are the record's.
-- 1 id
SELECT seq,status,turn,started_at,completed_at FROM task_queue FORCE INDEX(task_queue_id) WHERE id=?;
