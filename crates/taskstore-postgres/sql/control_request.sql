-- Running tasks: their holders hear of it with their next beat. The turn stays, so that the holder can settle it.
-- 1 tasks 2 now 3 soft delete too
UPDATE task_queue SET cancel_at=COALESCE(cancel_at,$2::bigint),deleted_at=CASE WHEN $3::bool THEN $2 ELSE deleted_at END,updated_at=$2 WHERE seq=ANY($1::bigint[]);
