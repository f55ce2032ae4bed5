-- The next names of queues with something ready. No recursive query here, as on the others: neither MySQL nor MariaDB seeks from row
-- to row of one, and both read the whole table. A look at the next 200 rows finds one queue or many; the caller goes on behind the last.
-- 1 after this name
SELECT DISTINCT c.queue FROM (SELECT queue FROM task_ready FORCE INDEX(PRIMARY) WHERE queue>? ORDER BY queue LIMIT 200) c;
