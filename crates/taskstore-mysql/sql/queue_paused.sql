-- Read inside the claim's transaction: once a pause has returned, no claim that starts afterwards takes from it.
-- 1 queue
SELECT 1 FROM task_queue_state WHERE queue=? AND paused<>0;
