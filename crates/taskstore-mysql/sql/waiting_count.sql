-- How many wait, as far as a limit: whether sorting them is cheaper than walking down the record. Two walks from the front.
-- 1 limit 2 limit
SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM task_ready FORCE INDEX(PRIMARY) LIMIT ?) r)+(SELECT COUNT(*) FROM (SELECT 1 FROM task_later FORCE INDEX(PRIMARY) LIMIT ?) w),
 (SELECT MAX(seq) FROM task_queue);
