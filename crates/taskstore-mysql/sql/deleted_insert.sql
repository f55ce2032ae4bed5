-- A task goes into the trash; it may lie there already.
-- deleted_at, task
INSERT INTO task_deleted(deleted_at,task) VALUES(?,?) ON DUPLICATE KEY UPDATE task=task_deleted.task;
