-- Apart from the record, which is rewritten whole at the end of the task.
-- 1 task 2 parameters
INSERT INTO task_payload(task,parameters) VALUES(?1,?2);
