-- Only a requeue with other parameters.
-- 1 task 2 parameters
UPDATE task_payload SET parameters=?2 WHERE task=?1;
