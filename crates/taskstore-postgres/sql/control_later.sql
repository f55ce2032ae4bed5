-- Which of them wait in later, locked. After control_read, in a statement of its own, and before control_ready: a task moves
-- from later to ready and never back while its record is locked, so found in neither means running.
-- 1 ids
SELECT w.task FROM task_queue t JOIN task_later w ON w.run_at=t.run_at AND w.task=t.seq WHERE t.id=ANY($1::uuid[]) AND t.status=0
 ORDER BY w.task FOR UPDATE OF w;
