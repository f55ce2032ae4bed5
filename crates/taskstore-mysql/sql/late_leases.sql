-- A third of the length, so that what is two thirds old is always here; a beat that lies in the future (the clock stepped
-- back) is named too. The table is read whole: one row per batch in flight. A hint, no verdict. Tests pass their own time.
-- 1 2 now 3 limit
SELECT lease FROM task_lease WHERE beat_at<?-length DIV 3 OR beat_at>? ORDER BY beat_at LIMIT ?;
