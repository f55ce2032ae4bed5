-- Goes with its lease.
-- 1 lease
DELETE FROM task_lease_tasks WHERE lease=?1;
