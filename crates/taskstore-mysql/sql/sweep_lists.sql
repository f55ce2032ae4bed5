-- Lists whose lease is gone: only when a sweep has found something. Tens of rows, and no lock.
SELECT x.lease FROM task_lease_tasks x LEFT JOIN task_lease l ON l.lease=x.lease WHERE l.lease IS NULL;
