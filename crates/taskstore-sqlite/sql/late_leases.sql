-- Read under the write lock: a read that had it shows that a beat could have been written. A third of the length, so that what
-- is two thirds old is always here; a beat that lies in the future (the clock stepped back) is named too. A hint, no verdict.
-- 1 now 2 limit
SELECT lease,beat,length FROM task_lease WHERE beat_at<?1-length/3 OR beat_at>?1 ORDER BY beat_at LIMIT ?2;
