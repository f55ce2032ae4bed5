-- Soft delete of ended tasks, or with NULL the restore of any. The list of what has ended knows it, too.
-- 1 tasks 2 now or NULL 3 now
WITH t AS (UPDATE task_queue SET deleted_at=$2::bigint,updated_at=$3::bigint WHERE seq=ANY($1::bigint[]) RETURNING seq,status,completed_at)
UPDATE task_ended e SET deleted=$2 IS NOT NULL FROM t
 WHERE e.status=t.status AND e.deleted=($2 IS NULL) AND e.completed_at=t.completed_at AND e.task=t.seq;
