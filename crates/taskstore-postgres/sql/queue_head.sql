-- The earliest ready task of each queue of a page among the heads of its most urgent priorities, from seek to seek: the key goes on
-- with the priority and then with the time.
-- 1 queues 2 priorities
SELECT (WITH RECURSIVE h(priority,run_at,k) AS (
  (SELECT r.priority,r.run_at,1 FROM task_ready r WHERE r.queue=u.queue ORDER BY r.priority,r.run_at LIMIT 1)
  UNION ALL SELECT x.priority,x.run_at,h.k+1 FROM h CROSS JOIN LATERAL
   (SELECT r.priority,r.run_at FROM task_ready r WHERE r.queue=u.queue AND r.priority>h.priority ORDER BY r.priority,r.run_at LIMIT 1) x
   WHERE h.k<$2::integer)
 SELECT min(run_at) FROM h)
 FROM unnest($1::text[]) WITH ORDINALITY AS u(queue,n) ORDER BY u.n;
