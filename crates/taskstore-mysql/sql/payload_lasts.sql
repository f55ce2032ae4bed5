-- A requeue: whoever asks for it again does not want it to expire. Writes nothing where it would not.
-- 1 tasks as a JSON array
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(task BIGINT PATH '$')) j STRAIGHT_JOIN task_payload p FORCE INDEX(PRIMARY) ON p.task=j.task
 SET p.expires_at=NULL WHERE p.expires_at IS NOT NULL;
