-- A lease, before anybody has beaten it.
-- 1 lease 2 owner 3 now 4 length 5 claimed_at 6 number of tasks 7 alone 8 taken from
INSERT INTO task_lease(lease,owner,beat,beat_at,length,claimed_at,open,alone,taken_from) VALUES(?1,?2,0,?3,?4,?5,?6,?7,?8);
