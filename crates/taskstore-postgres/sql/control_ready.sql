-- Which of them wait in ready, locked: no claim takes them any more. `+0` because a key that has the wanted order would be walked
-- down whole (decision 0063).
-- 1 ids
WITH t AS MATERIALIZED (SELECT seq,queue,priority,run_at FROM task_queue WHERE id=ANY($1::uuid[]) AND status=0 ORDER BY seq+0)
SELECT r.task FROM t CROSS JOIN LATERAL (SELECT r.task FROM task_ready r
 WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq FOR UPDATE) r;
