-- Only a requeue with other parameters.
-- 1 parameters 2 task
UPDATE task_payload SET parameters=? WHERE task=?;
