-- Lists and counts of failed, canceled and paused tasks.
-- 1 status 2 task
INSERT INTO task_aside(status,task) VALUES(?1,?2);
