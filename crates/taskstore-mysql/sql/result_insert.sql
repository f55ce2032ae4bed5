-- How an attempt ended; only when there is something to say.
-- task, turn, status, began, ended, owner or NULL, output, error
INSERT INTO task_result(task,turn,status,started_at,ended_at,owner,output,error) VALUES(?,?,?,?,?,?,?,?);
