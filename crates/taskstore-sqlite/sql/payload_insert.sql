-- Apart from the record, which is rewritten whole at the end of the task.
-- 1 task 2 parameters 3 expires_at or NULL 4 timeout or NULL
INSERT INTO task_payload(task,parameters,expires_at,timeout) VALUES(?1,?2,?3,?4);
