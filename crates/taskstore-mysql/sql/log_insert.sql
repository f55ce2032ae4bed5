-- A line sent again is kept once.
-- task, turn, n, at, level, line
INSERT INTO task_log(task,turn,n,at,level,line) VALUES(?,?,?,?,?,?) ON DUPLICATE KEY UPDATE n=task_log.n;
