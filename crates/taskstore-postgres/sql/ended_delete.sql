-- Tasks that run again, or go for good.
-- 1 tasks 2 statuses 3 completed_at
DELETE FROM task_ended e USING unnest($1::bigint[],$2::smallint[],$3::bigint[]) u(task,status,completed_at)
 WHERE e.status=u.status AND e.deleted=ANY('{f,t}'::bool[]) AND e.completed_at=u.completed_at AND e.task=u.task;
