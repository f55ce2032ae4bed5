-- Place: waits for its time.
-- 1 queue 2 priority 3 run_at 4 task 5 definition
INSERT INTO task_later(run_at,task,queue,priority,definition_id) VALUES(?3,?4,?1,?2,?5);
