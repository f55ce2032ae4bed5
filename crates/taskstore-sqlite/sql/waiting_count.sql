-- How many wait, as far as a limit: whether sorting them is cheaper than walking down the record. Two walks from the front.
-- 1 limit
SELECT (SELECT count(*) FROM (SELECT 1 FROM task_ready LIMIT ?1))+(SELECT count(*) FROM (SELECT 1 FROM task_later LIMIT ?1)),
 (SELECT max(seq) FROM task_queue);
