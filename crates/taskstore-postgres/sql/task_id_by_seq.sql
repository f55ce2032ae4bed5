-- The ids of the tasks of a page.
-- 1 tasks
SELECT t.id FROM unnest($1::bigint[]) WITH ORDINALITY AS u(task,n)
 CROSS JOIN LATERAL (SELECT q.id FROM task_queue q WHERE q.seq=u.task OFFSET 0) t ORDER BY u.n;
