-- Takes the heads of queues, strictly in their order, in claim order within each, and leases them. No run_at <= now: what is
-- ready is due, so a clock that steps back hides nothing. What somebody has locked is skipped. Rows are locked one by one as
-- they are taken, so none is locked beyond the limit.
--
-- Always one row, with the columns from seq on for each task: when the next task is due, if it came back short; how many rows were
-- dropped that had no task any more, because somebody has deleted by hand (the sweep finds the tasks); whether there was no room
-- for the bytes of more. A lease of this id that is there already makes the insert fail, and with it what was settled before.
-- A queue that is named again goes on after what it gave before: `skip`.
-- 1 now or NULL 2 lease 3 owner 4 length 5 queues 6 limits 7 skips 8 at most 9 bytes at most 10 only these definitions or NULL 11 none of these
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
q AS MATERIALIZED (SELECT q.name,q.lim,q.skip FROM unnest($5::text[],$6::int[],$7::int[]) WITH ORDINALITY q(name,lim,skip,n)
 WHERE NOT EXISTS(SELECT FROM task_lease l WHERE l.lease=$2::uuid)
  AND NOT EXISTS(SELECT FROM task_queue_state s WHERE s.queue=q.name AND s.paused) ORDER BY q.n),
x AS MATERIALIZED (SELECT ARRAY(SELECT id FROM task_definition WHERE status<>0)
 ||CASE WHEN $10::uuid[] IS NULL THEN $11::uuid[] ELSE ARRAY(SELECT id FROM task_definition WHERE id<>ALL($10)) END AS definitions),
h AS MATERIALIZED (SELECT h.place,h.task,row_number() OVER () AS n FROM (SELECT r.place,r.task FROM q CROSS JOIN LATERAL (
  SELECT r.ctid AS place,r.task FROM task_ready r WHERE r.queue=q.name AND r.definition_id<>ALL((SELECT definitions FROM x)::uuid[])
  ORDER BY r.priority,r.run_at,r.task OFFSET q.skip LIMIT q.lim FOR UPDATE SKIP LOCKED) r LIMIT $8::int) h),
b AS MATERIALIZED (SELECT h.place,h.task,h.n,sum(octet_length(p.parameters)) OVER (ORDER BY h.n ROWS UNBOUNDED PRECEDING) AS bytes
 FROM h LEFT JOIN task_payload p ON p.task=h.task),
w AS MATERIALIZED (SELECT place,task,n FROM b WHERE n=1 OR bytes IS NULL OR bytes<=$9::bigint),
d AS (DELETE FROM task_ready WHERE ctid=ANY(ARRAY(SELECT place FROM w))),
j AS MATERIALIZED (SELECT w.n,t.seq,t.turn,t.id,t.definition_id,p.parameters,t.attempts,t.max_attempts,t.suspect,t.priority,t.run_at,t.key_hash IS NOT NULL AS keyed,
 CASE WHEN t.started_at IS NULL THEN p.expires_at END AS expires_at,p.timeout,t.queue
 FROM w JOIN task_queue t ON t.seq=w.task AND t.status=0 JOIN task_payload p ON p.task=w.task
 WHERE EXISTS(SELECT FROM task_definition d WHERE d.id=t.definition_id)),
l AS (INSERT INTO task_lease(lease,owner,beat_at,length,claimed_at,open) SELECT $2,$3::uuid,c.now,$4::bigint,c.now,(SELECT count(*) FROM j) FROM c
 WHERE EXISTS(SELECT FROM j) OR EXISTS(SELECT FROM task_lease o WHERE o.lease=$2)),
g AS (INSERT INTO task_lease_tasks(lease,tasks,turns) SELECT $2,array_agg(seq ORDER BY n),array_agg(turn ORDER BY n) FROM j HAVING count(*)>0)
SELECT c.now,$2,CASE WHEN (SELECT count(*) FROM j)<$8 THEN (SELECT run_at FROM task_later ORDER BY run_at,task LIMIT 1) END,
 (SELECT count(*) FROM w)-(SELECT count(*) FROM j),(SELECT count(*) FROM b)>(SELECT count(*) FROM w),
 j.seq,j.turn,j.id,j.definition_id,j.parameters,j.attempts,j.max_attempts,j.suspect,j.priority,j.run_at,j.keyed,j.expires_at,j.timeout,j.queue
 FROM c LEFT JOIN j ON true ORDER BY j.n;
