-- Tasks that are no longer failed, canceled or paused.
-- 1 statuses 2 tasks
DELETE FROM task_aside a USING unnest($1::smallint[],$2::bigint[]) u(status,task) WHERE a.status=u.status AND a.task=u.task;
