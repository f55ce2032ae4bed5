-- What a waiting or paused task waits for. No turn: nobody holds it.
-- 1 queue 2 priority 3 run_at 4 now 5 task
UPDATE task_queue SET queue=?,priority=?,run_at=?,updated_at=? WHERE seq=?;
