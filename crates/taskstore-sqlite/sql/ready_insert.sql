-- Place: claimable now. One of the only two ways into a queue.
-- 1 queue 2 priority 3 run_at 4 task 5 definition
INSERT INTO task_ready(queue,priority,run_at,task,definition_id) VALUES(?1,?2,?3,?4,?5);
