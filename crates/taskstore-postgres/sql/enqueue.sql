-- Tasks on their way in, all in one statement. Rows: first one with the time, and a definition that no task can be enqueued
-- for; then each position that was not stored, because its id is there already or somebody holds its key. Nothing is stored
-- when there is such a definition.
--
-- The seqs are drawn first, in the order of the request, so that every table is written from the arrays: parameters go through
-- one unnest only, straight into their table. Keys are taken in the order of their hashes, or two requests with the same keys
-- would deadlock; no key costs nothing.
-- 1 now or NULL 2 ids 3 definitions 4 queues 5 priorities 6 delays or NULL 7 times or NULL 8 key hashes or NULL 9 max_attempts
-- 10 parameters 11 delays of expiry or NULL 12 times of expiry or NULL 13 timeouts or NULL 14 the different definitions
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
off AS MATERIALIZED (SELECT o.d FROM unnest($14::uuid[]) o(d)
 WHERE NOT EXISTS(SELECT FROM task_definition x WHERE x.id=o.d AND x.status=0 AND x.deleted_at IS NULL)),
bad AS MATERIALIZED (SELECT u.d FROM unnest($2::uuid[],$3::uuid[]) u(i,d)
 WHERE EXISTS(SELECT FROM off) AND (u.d IN (SELECT d FROM off)) IS TRUE AND NOT EXISTS(SELECT FROM task_queue t WHERE t.id=u.i) LIMIT 1),
s AS MATERIALIZED (SELECT array_agg(nextval($name$task_queue_seq$name$)) AS seqs FROM generate_series(1,cardinality($2))),
k AS (INSERT INTO task_unique(key_hash,task) SELECT u.h,u.s FROM unnest((SELECT seqs FROM s),$2,$8::bytea[]) u(s,i,h)
 WHERE u.h IS NOT NULL AND NOT EXISTS(SELECT FROM bad) AND NOT EXISTS(SELECT FROM task_queue t WHERE t.id=u.i)
 ORDER BY u.h,u.s ON CONFLICT DO NOTHING RETURNING task),
a AS (INSERT INTO task_queue(seq,id,definition_id,queue,priority,run_at,key_hash,max_attempts,created_at,updated_at)
 SELECT u.s,u.i,u.d,u.q,u.pr,COALESCE(u.at,CASE WHEN u.del IS NOT NULL THEN LEAST(c.now+u.del,253402300799999999) END,c.now),u.h,u.ma,c.now,c.now
 FROM c CROSS JOIN unnest((SELECT seqs FROM s),$2,$3,$4::text[],$5::smallint[],$6::bigint[],$7::bigint[],$8,$9::int[]) u(s,i,d,q,pr,del,at,h,ma)
 WHERE NOT EXISTS(SELECT FROM bad) AND (u.h IS NULL OR u.s IN (SELECT task FROM k))
 ON CONFLICT(id) DO NOTHING RETURNING seq,run_at,definition_id,priority,queue),
p AS (INSERT INTO task_payload(task,parameters,expires_at,timeout)
 SELECT u.s,u.p,CASE WHEN u.xd IS NULL THEN u.xa ELSE LEAST(c.now+u.xd,253402300799999999) END,u.tm
 FROM c CROSS JOIN unnest((SELECT seqs FROM s),$10::text[],$11::bigint[],$12::bigint[],$13::bigint[]) u(s,p,xd,xa,tm)
 WHERE CASE WHEN (SELECT count(*) FROM a)=cardinality($2) THEN true ELSE u.s IN (SELECT seq FROM a) END),
r AS (INSERT INTO task_ready(task,run_at,definition_id,priority,queue) SELECT seq,run_at,definition_id,priority,queue FROM a WHERE run_at<=(SELECT now FROM c)),
w AS (INSERT INTO task_later(task,run_at,definition_id,priority,queue) SELECT seq,run_at,definition_id,priority,queue FROM a WHERE run_at>(SELECT now FROM c))
SELECT 0 AS n,(SELECT now FROM c) AS now,(SELECT d FROM bad) AS bad,NULL::bigint AS seq,false AS key_taken
UNION ALL SELECT u.n::int,NULL,NULL,u.s,u.s IN (SELECT task FROM k) FROM unnest((SELECT seqs FROM s)) WITH ORDINALITY u(s,n)
 WHERE (SELECT count(*) FROM a)<cardinality($2) AND (u.s IN (SELECT seq FROM a)) IS FALSE;
