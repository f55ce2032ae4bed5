-- The log of all attempts, the oldest line first.
-- 1 id 2 limit 3 skip
SELECT g.n,g.at,g.level,g.line FROM task_queue t JOIN task_log g ON g.task=t.seq WHERE t.id=$1
 ORDER BY g.task,g.turn,g.n LIMIT $2::bigint OFFSET $3::bigint;
