-- Leases of these ids that are there, and who held each before a take-over.
-- 1 leases
SELECT lease,taken_from,alone FROM task_lease WHERE lease=ANY($1::uuid[]);
