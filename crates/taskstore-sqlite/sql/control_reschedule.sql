-- What a waiting or paused task waits for. No turn: nobody holds it.
-- 1 task 2 queue 3 priority 4 run_at 5 now
UPDATE task_queue SET queue=?2,priority=?3,run_at=?4,updated_at=?5 WHERE seq=?1;
