-- How an attempt ended; only when there is something to say. The key is one integer, so that it is appended.
-- 1 task 2 turn 3 status 4 began 5 ended 6 owner or NULL 7 output 8 error
INSERT INTO task_result(attempt,status,started_at,ended_at,owner,output,error) VALUES((?1<<24)|?2,?3,?4,?5,?6,?7,?8);
