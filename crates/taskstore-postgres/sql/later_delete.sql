-- Unplace: by the whole key, which the record repeats.
-- 1 run_at 2 tasks
DELETE FROM task_later w USING unnest($1::bigint[],$2::bigint[]) u(run_at,task) WHERE w.run_at=u.run_at AND w.task=u.task;
