-- The leases that were seen dead, unless somebody holds them. Whether they still have that beat is compared under the lock.
-- 1 leases
SELECT lease,owner,length,claimed_at,alone,beat FROM task_lease WHERE lease=ANY($1::uuid[]) ORDER BY lease FOR UPDATE SKIP LOCKED;
