-- What a lease holds, apart from its row, which every beat rewrites.
-- lease, [[task,turn],..]
INSERT INTO task_lease_tasks(lease,tasks) VALUES(?,?);
