-- Records whose tasks may be strays, and those that rows of places name: locked, as a settlement would.
-- As bytes, because a key that has the wanted order would be walked down whole (decision 0063).
-- 1 tasks
SELECT seq FROM task_queue WHERE seq=ANY($1::bigint[]) ORDER BY uuid_send(id) FOR UPDATE;
