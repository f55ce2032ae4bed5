-- Keeps the newest lines of an attempt. No row at that offset: NULL, and nothing is deleted.
-- 1 task 2 turn 3 how many to keep, less one
DELETE FROM task_log WHERE task=?1 AND turn=?2
 AND n<(SELECT n FROM task_log WHERE task=?1 AND turn=?2 ORDER BY n DESC LIMIT 1 OFFSET ?3);
