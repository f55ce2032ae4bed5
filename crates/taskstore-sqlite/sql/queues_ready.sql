-- The names of queues with something ready, from seek to seek over the front of the primary key: as many steps as queues,
-- however much is in them.
-- 1 after this name 2 limit
WITH RECURSIVE q(queue) AS (
 SELECT min(queue) FROM task_ready WHERE queue>?1
 UNION ALL SELECT (SELECT min(r.queue) FROM task_ready r WHERE r.queue>q.queue) FROM q WHERE q.queue IS NOT NULL)
SELECT queue FROM q WHERE queue IS NOT NULL LIMIT ?2;
