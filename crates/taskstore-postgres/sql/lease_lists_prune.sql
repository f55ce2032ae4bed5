-- Lists whose lease is gone: only when a sweep has found something. Tens of rows.
DELETE FROM task_lease_tasks b WHERE NOT EXISTS(SELECT FROM task_lease l WHERE l.lease=b.lease);
