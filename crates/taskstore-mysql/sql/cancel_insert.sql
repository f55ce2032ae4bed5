-- Somebody asks for the end of a running task; it may have been asked for already.
-- task, id
INSERT INTO task_cancel(task,id) VALUES(?,?) ON DUPLICATE KEY UPDATE id=task_cancel.id;
