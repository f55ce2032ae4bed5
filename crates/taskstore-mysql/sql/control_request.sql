-- A running task: its holder hears of it with its next beat. The turn stays, so that the holder can settle it.
-- 1 now 2 soft delete too 3 now 4 now 5 task
UPDATE task_queue SET cancel_at=CASE WHEN cancel_at=0 THEN ? ELSE cancel_at END,deleted_at=CASE WHEN ? THEN ? ELSE deleted_at END,updated_at=? WHERE seq=?;
