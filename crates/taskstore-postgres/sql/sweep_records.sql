-- The sweep's look at a stretch of records: the active ones that are in no place. One snapshot, in which every task that is
-- well is in exactly one.
-- (Scalar subqueries, for an EXISTS may become a join with the whole of a place.)
-- 1 after 2 up to
SELECT q.seq FROM task_queue q WHERE q.seq>$1::bigint AND q.seq<=$2::bigint AND q.status=0
 AND (SELECT true FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq LIMIT 1) IS NULL
 AND (SELECT true FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq LIMIT 1) IS NULL
 AND ((q.seq,q.turn) IN (SELECT x.task,x.turn FROM task_lease l JOIN task_lease_tasks b ON b.lease=l.lease CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn))) IS FALSE;
