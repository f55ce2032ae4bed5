-- The names of queues with something ready and whether each is paused, from seek to seek over the front of the primary key: as many
-- steps as queues, however much is in them.
-- 1 after this name 2 limit
WITH RECURSIVE q(queue) AS (
 (SELECT r.queue FROM task_ready r WHERE r.queue>$1 ORDER BY r.queue LIMIT 1)
 UNION ALL SELECT x.queue FROM q CROSS JOIN LATERAL (SELECT r.queue FROM task_ready r WHERE r.queue>q.queue ORDER BY r.queue LIMIT 1) x)
SELECT q.queue,coalesce((SELECT s.paused FROM task_queue_state s WHERE s.queue=q.queue),false) FROM q LIMIT $2::bigint;
