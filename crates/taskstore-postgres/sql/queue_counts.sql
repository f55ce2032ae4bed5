-- How much is ready and how much delayed in each queue of a page, as far as a limit, and whether it is paused.
-- 1 queues 2 limit
SELECT (SELECT count(*) FROM (SELECT FROM task_ready r WHERE r.queue=u.queue LIMIT $2::bigint) x),
 (SELECT count(*) FROM (SELECT FROM task_later w WHERE w.queue=u.queue LIMIT $2) x),
 coalesce((SELECT s.paused FROM task_queue_state s WHERE s.queue=u.queue),false)
 FROM unnest($1::text[]) WITH ORDINALITY AS u(queue,n) ORDER BY u.n;
