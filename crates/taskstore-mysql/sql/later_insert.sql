-- Place: waits for its time.
-- queue, priority, run_at, task, definition
INSERT INTO task_later(queue,priority,run_at,task,definition_id) VALUES(?,?,?,?,?);
