-- The log of all attempts, the oldest line first.
-- 1 id 2 limit 3 skip
SELECT g.n,g.at,g.level,g.line FROM task_queue t FORCE INDEX(task_queue_id) STRAIGHT_JOIN task_log g FORCE INDEX(PRIMARY) ON g.task=t.seq
 WHERE t.id=? ORDER BY g.task,g.turn,g.n LIMIT ? OFFSET ?;
