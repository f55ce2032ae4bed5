-- How many are in the trash, as far as a limit: whether sorting it is cheaper than walking down what has ended.
-- 1 limit
SELECT COUNT(*) FROM (SELECT 1 FROM task_deleted FORCE INDEX(PRIMARY) LIMIT ?) c;
