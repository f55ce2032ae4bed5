-- The queues that have settings.
-- 1 after this name 2 limit
SELECT queue FROM task_queue_state WHERE queue>$1 ORDER BY queue LIMIT $2::bigint;
