-- Keeps the newest lines of an attempt. No row at that offset: NULL, and nothing is deleted. Twice derived, for a table that is
-- changed may not be read directly.
-- 1 task 2 turn 3 task 4 turn 5 how many to keep, less one
DELETE FROM task_log WHERE task=? AND turn=?
 AND n<(SELECT n FROM (SELECT n FROM task_log WHERE task=? AND turn=? ORDER BY n DESC LIMIT 1 OFFSET ?) x);
