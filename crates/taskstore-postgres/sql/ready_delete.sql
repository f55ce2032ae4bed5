-- Unplace: by the whole key, which the record repeats, never by a scan.
-- 1 queues 2 priorities 3 run_at 4 tasks
DELETE FROM task_ready r USING unnest($1::text[],$2::smallint[],$3::bigint[],$4::bigint[]) u(queue,priority,run_at,task)
 WHERE r.queue=u.queue AND r.priority=u.priority AND r.run_at=u.run_at AND r.task=u.task;
