-- Somebody took them over.
-- 1 leases
WITH x AS (DELETE FROM task_lease_tasks WHERE lease=ANY($1::uuid[]))
DELETE FROM task_lease WHERE lease=ANY($1);
