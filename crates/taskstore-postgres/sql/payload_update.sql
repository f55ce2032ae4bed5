-- Only a requeue with other parameters.
-- 1 tasks 2 parameters
UPDATE task_payload SET parameters=$2::text WHERE task=ANY($1::bigint[]);
