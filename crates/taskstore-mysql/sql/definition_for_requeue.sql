-- Whether the definition is still there. Locked against its deletion alone.
-- 1 definition
SELECT status FROM task_definition WHERE seq=? LOCK IN SHARE MODE;
