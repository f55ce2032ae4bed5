-- Place: claimable now. One of the only two ways into a queue.
-- queue, priority, run_at, task, definition
INSERT INTO task_ready(queue,priority,run_at,task,definition_id) VALUES(?,?,?,?,?);
