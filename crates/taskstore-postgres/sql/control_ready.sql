-- Which of them wait in ready, locked: no claim takes them any more.
-- 1 ids
SELECT r.task FROM task_queue t JOIN task_ready r ON r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq
 WHERE t.id=ANY($1::uuid[]) AND t.status=0 ORDER BY r.task FOR UPDATE OF r;
