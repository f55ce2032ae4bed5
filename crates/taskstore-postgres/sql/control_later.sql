-- Which of them wait in later, locked. After control_read, in a statement of its own, and before control_ready: a task moves
-- from later to ready and never back while its record is locked, so found in neither means running. `+0` because a key that has
-- the wanted order would be walked down whole (decision 0063).
-- 1 ids
WITH t AS MATERIALIZED (SELECT seq,run_at FROM task_queue WHERE id=ANY($1::uuid[]) AND status=0 ORDER BY seq+0)
SELECT w.task FROM t CROSS JOIN LATERAL (SELECT w.task FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq FOR UPDATE) w;
