-- Records whose tasks may be strays, and those that rows of places name: locked, as a settlement would.
-- 1 tasks
SELECT seq FROM task_queue WHERE seq=ANY($1::bigint[]) ORDER BY id FOR UPDATE;
