-- The sweep's look at a stretch of records: the active ones that wait nowhere. Those that no lease holds are strays.
-- 1 after 2 up to
SELECT q.seq,q.turn FROM task_queue q FORCE INDEX(PRIMARY) WHERE q.seq>? AND q.seq<=? AND q.status=0
 AND NOT EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq)
 AND NOT EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq);
