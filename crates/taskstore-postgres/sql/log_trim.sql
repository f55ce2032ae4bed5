-- Keeps the newest lines of attempts. No row at that offset: NULL, and nothing is deleted.
-- 1 tasks 2 turns 3 how many to keep, less one
DELETE FROM task_log g USING unnest($1::bigint[],$2::int[]) u(task,turn) WHERE g.task=u.task AND g.turn=u.turn
 AND g.n<(SELECT x.n FROM task_log x WHERE x.task=u.task AND x.turn=u.turn ORDER BY x.n DESC LIMIT 1 OFFSET $3::int);
