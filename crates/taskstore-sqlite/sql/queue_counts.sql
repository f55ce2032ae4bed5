-- How much is ready and how much delayed in a queue, as far as a limit, and whether it is paused.
-- 1 queue 2 limit
SELECT (SELECT count(*) FROM (SELECT 1 FROM task_ready WHERE queue=?1 LIMIT ?2)),
 (SELECT count(*) FROM (SELECT 1 FROM task_later WHERE queue=?1 LIMIT ?2)),
 (SELECT paused FROM task_queue_state WHERE queue=?1);
