-- Due tasks become claimable, the earliest first; their records are left alone. By any number of runners: what one has locked
-- the others skip. How many, the time, and when the next is due.
-- 1 now or NULL 2 limit
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
d AS (DELETE FROM task_later WHERE ctid=ANY(ARRAY(SELECT ctid FROM task_later WHERE run_at<=(SELECT now FROM c)
 ORDER BY run_at,task LIMIT $2::int FOR UPDATE SKIP LOCKED)) RETURNING task,run_at,definition_id,priority,queue),
i AS (INSERT INTO task_ready(task,run_at,definition_id,priority,queue) SELECT task,run_at,definition_id,priority,queue FROM d RETURNING 1)
SELECT (SELECT count(*) FROM i),(SELECT now FROM c),
 (SELECT l.run_at FROM task_later l WHERE (l.run_at,l.task)>(SELECT COALESCE(max(run_at),-9223372036854775808),COALESCE(max(task) FILTER (WHERE run_at=(SELECT max(run_at) FROM d)),0) FROM d)
  ORDER BY l.run_at,l.task LIMIT 1);
