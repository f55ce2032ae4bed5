-- Place: wait for their time.
-- 1 queues 2 priorities 3 run_at 4 tasks 5 definitions
INSERT INTO task_later(queue,priority,run_at,task,definition_id) SELECT * FROM unnest($1::text[],$2::smallint[],$3::bigint[],$4::bigint[],$5::uuid[]);
