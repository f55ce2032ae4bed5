-- Settled for the first time here, and some are left.
-- 1 lease 2 how many
UPDATE task_lease SET open=open-?2 WHERE lease=?1;
