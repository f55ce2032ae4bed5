-- Cancel, pause, resume: the status is stored, and the turn fences whoever held it. What has ended is not suspect.
-- 1 tasks 2 to 3 now 4 soft delete too
UPDATE task_queue SET status=$2::smallint,turn=turn+1,suspect=CASE WHEN $2=4 THEN false ELSE suspect END,
 completed_at=CASE WHEN $2=4 THEN $3::bigint END,deleted_at=CASE WHEN $4::bool THEN $3 ELSE deleted_at END,updated_at=$3 WHERE seq=ANY($1::bigint[]);
