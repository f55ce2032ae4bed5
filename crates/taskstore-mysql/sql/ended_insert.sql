-- When a task ended, beside its record: an index there would be moved by every end.
-- status, completed_at, task
INSERT INTO task_ended(status,completed_at,task) VALUES(?,?,?);
