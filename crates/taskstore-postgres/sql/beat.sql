-- One more beat for each lease whose row nobody holds; never waits. 0 alive, 1 busy (its own settlement, perhaps; a take-over
-- skips it too), 2 lost. By position.
-- 1 leases
WITH l AS MATERIALIZED (SELECT lease FROM task_lease WHERE lease=ANY($1::uuid[]) ORDER BY lease FOR NO KEY UPDATE SKIP LOCKED),
up AS (UPDATE task_lease SET beat=beat+1,beat_at=(extract(epoch FROM clock_timestamp())*1000000)::bigint
 WHERE lease=ANY(ARRAY(SELECT lease FROM l)) RETURNING lease)
SELECT CASE WHEN u.lease IN (SELECT lease FROM up) THEN 0 WHEN EXISTS(SELECT FROM task_lease t WHERE t.lease=u.lease) THEN 1 ELSE 2 END
 FROM unnest($1) WITH ORDINALITY u(lease,n) ORDER BY u.n;
