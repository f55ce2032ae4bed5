-- The task leaves its shared lease, whose list keeps a pair that no longer matches. None changed: lost.
-- The id is compared because the seq may come from memory.
-- 1 task 2 turn 3 now 4 id
UPDATE task_queue SET turn=turn+1,updated_at=?3 WHERE seq=?1 AND id=?4 AND turn=?2 AND status=0;
