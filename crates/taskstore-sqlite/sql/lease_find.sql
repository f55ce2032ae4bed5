-- The lease row, half of every fence: there or not.
-- 1 lease
SELECT owner,length,claimed_at,open,alone,taken_from FROM task_lease WHERE lease=?1;
