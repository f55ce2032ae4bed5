-- The lease row, half of every fence: there or not. No lock.
-- 1 lease
SELECT owner,length,claimed_at,open,alone,taken_from,beat FROM task_lease WHERE lease=?;
