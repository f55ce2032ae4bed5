-- Changed a row: alive. None: lost. The lock not had in time: busy, for all of them, and no take-over could be written either.
-- 1 lease 2 now
UPDATE task_lease SET beat=beat+1,beat_at=?2 WHERE lease=?1;
