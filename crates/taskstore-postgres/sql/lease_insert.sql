-- Leases, before anybody has beaten them, and what they hold. Of each list first the tasks, then as many turns.
-- 1 now or NULL 2 lease 3 owner 4 length 5 claimed_at or NULL for now 6 tasks 7 turns 8 alone 9 taken from or NULL
WITH c AS MATERIALIZED (SELECT COALESCE($1::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now),
l AS (INSERT INTO task_lease(lease,owner,beat_at,length,claimed_at,open,alone,taken_from)
 SELECT $2::uuid,$3::uuid,c.now,$4::bigint,COALESCE($5::bigint,c.now),cardinality($6::bigint[]),$8::bool,$9::uuid FROM c)
INSERT INTO task_lease_tasks(lease,tasks,turns) VALUES($2,$6,$7::int[]);
