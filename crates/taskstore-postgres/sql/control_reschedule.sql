-- What waiting or paused tasks wait for. No turn: nobody holds them.
-- 1 tasks 2 queues 3 priorities 4 run_at 5 now
UPDATE task_queue t SET queue=u.queue,priority=u.priority,run_at=u.run_at,updated_at=$5::bigint
 FROM unnest($1::bigint[],$2::text[],$3::smallint[],$4::bigint[]) u(task,queue,priority,run_at) WHERE t.seq=u.task;
