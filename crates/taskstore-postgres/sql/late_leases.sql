-- A hint that keeps the watch small, and no verdict. A third of the length, so that what is two thirds old is always here; a beat
-- that lies in the future (the clock stepped back) is named too. What somebody holds is left out: a beat could not have been
-- written there either. A shared lock keeps watchers from skipping each other; not a key share, which waits for a beat in
-- flight. It writes, so it does not wait for the disk.
-- 1 limit
WITH s AS MATERIALIZED (SELECT set_config('synchronous_commit','off',true)),
c AS MATERIALIZED (SELECT (extract(epoch FROM now())*1000000)::bigint AS now FROM s)
SELECT t.lease,t.beat,t.length FROM c CROSS JOIN task_lease t WHERE t.beat_at<c.now-t.length/3 OR t.beat_at>c.now
 ORDER BY t.beat_at LIMIT $1::int FOR SHARE OF t SKIP LOCKED;
