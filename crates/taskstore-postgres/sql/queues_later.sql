-- As queues_ready, of what waits for its time: over an index of its own, for the primary key begins with the time.
-- 1 after this name 2 limit
WITH RECURSIVE q(queue) AS (
 (SELECT w.queue FROM task_later w WHERE w.queue>$1 ORDER BY w.queue LIMIT 1)
 UNION ALL SELECT x.queue FROM q CROSS JOIN LATERAL (SELECT w.queue FROM task_later w WHERE w.queue>q.queue ORDER BY w.queue LIMIT 1) x)
SELECT q.queue FROM q LIMIT $2::bigint;
