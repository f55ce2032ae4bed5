-- Apart from the record, which the end of the task rewrites.
-- task, parameters, expires_at or NULL, timeout or NULL
INSERT INTO task_payload(task,parameters,expires_at,timeout) VALUES(?,?,?,?);
