-- A task that did not end well, or is paused.
-- status, task
INSERT INTO task_aside(status,task) VALUES(?,?);
