-- The end of an attempt where nothing else is at stake: no key to free, no cancel request to yield to. Touches no index.
-- The id is compared because the seq may come from memory.
-- 1 task 2 id 3 turn 4 status 5 now 6 began or NULL 7 ended 8 lease 9 progress done or NULL 10 progress total or NULL
UPDATE task_queue SET status=?4,turn=turn+1,attempts=attempts+1,suspect=0,updated_at=?5,started_at=coalesce(?6,started_at),completed_at=?7,
 last_lease=?8,progress_done=coalesce(?9,progress_done),progress_total=coalesce(?10,progress_total)
 WHERE seq=?1 AND id=?2 AND turn=?3 AND status=0 AND key_hash IS NULL AND cancel_at IS NULL;
