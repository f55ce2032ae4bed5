-- Lists whose lease is gone: only when a sweep has found something. Tens of rows.
DELETE FROM task_lease_tasks WHERE NOT EXISTS(SELECT 1 FROM task_lease l WHERE l.lease=task_lease_tasks.lease);
