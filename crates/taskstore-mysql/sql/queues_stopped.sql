-- The queues that no claim takes from.
SELECT queue FROM task_queue_state WHERE paused<>0;
