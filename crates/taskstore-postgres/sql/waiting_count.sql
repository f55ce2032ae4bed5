-- How many wait, as far as a limit: whether sorting them is cheaper than walking down the record. Two walks from the front.
-- 1 limit
SELECT (SELECT count(*) FROM (SELECT FROM task_ready LIMIT $1::bigint) x)+(SELECT count(*) FROM (SELECT FROM task_later LIMIT $1) x),
 coalesce((SELECT t.seq FROM task_queue t ORDER BY t.seq DESC LIMIT 1),0);
