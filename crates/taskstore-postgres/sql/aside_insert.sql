-- Lists and counts of failed, canceled and paused tasks.
-- 1 status 2 tasks
INSERT INTO task_aside(status,task) SELECT $1::smallint,t FROM unnest($2::bigint[]) t;
