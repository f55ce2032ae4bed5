-- A lease, before anybody has beaten it.
-- lease, owner, now, length, claimed_at, number of tasks, alone, taken from, and 0 for the beat
INSERT INTO task_lease(lease,owner,beat_at,length,claimed_at,open,alone,taken_from,beat) VALUES(?,?,?,?,?,?,?,?,?);
