-- How much is ready and how much delayed in a queue, as far as a limit, and whether it is paused. Many of these are sent as one.
-- 1 queue 2 queue 3 limit 4 queue 5 limit 6 queue
SELECT ?,(SELECT COUNT(*) FROM (SELECT 1 FROM task_ready FORCE INDEX(PRIMARY) WHERE queue=? LIMIT ?) r),
 (SELECT COUNT(*) FROM (SELECT 1 FROM task_later FORCE INDEX(task_later_queue) WHERE queue=? LIMIT ?) w),
 (SELECT paused FROM task_queue_state WHERE queue=?);
