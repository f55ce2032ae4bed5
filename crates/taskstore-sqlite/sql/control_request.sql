-- A running task: its holder hears of it with its next beat. The turn stays, so that the holder can settle it.
-- 1 task 2 now 3 soft delete too
UPDATE task_queue SET cancel_at=coalesce(cancel_at,?2),deleted_at=CASE WHEN ?3 THEN ?2 ELSE deleted_at END,updated_at=?2 WHERE seq=?1;
