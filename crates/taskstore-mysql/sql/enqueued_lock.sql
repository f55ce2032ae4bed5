-- What plain SQL leaves behind, without what is not committed yet.
SELECT n,id FROM task_enqueue FORCE INDEX(PRIMARY) ORDER BY n LIMIT 1000 FOR UPDATE SKIP LOCKED;
