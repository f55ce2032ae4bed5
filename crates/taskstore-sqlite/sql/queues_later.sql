-- As queues_ready, of what waits for its time: over an index of its own, for the primary key begins with the time.
-- 1 after this name 2 limit
WITH RECURSIVE q(queue) AS (
 SELECT min(queue) FROM task_later WHERE queue>?1
 UNION ALL SELECT (SELECT min(l.queue) FROM task_later l WHERE l.queue>q.queue) FROM q WHERE q.queue IS NOT NULL)
SELECT queue FROM q WHERE queue IS NOT NULL LIMIT ?2;
