-- What a lease holds, apart from its row, which every beat rewrites.
-- 1 lease 2 {"task":turn,..}
INSERT INTO task_lease_tasks(lease,tasks) VALUES(?1,?2);
