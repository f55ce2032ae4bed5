-- Exactly the lease that was seen, at the beat that was seen; no row: it beat meanwhile, or is gone.
-- 1 lease 2 beat
SELECT owner,length,claimed_at,open,alone,taken_from FROM task_lease WHERE lease=?1 AND beat=?2;
