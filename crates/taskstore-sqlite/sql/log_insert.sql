-- A line sent again is kept once.
-- 1 task 2 turn 3 n 4 at 5 level 6 line
INSERT INTO task_log(task,turn,n,at,level,line) VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(task,turn,n) DO NOTHING;
