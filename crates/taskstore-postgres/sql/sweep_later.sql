-- The sweep's look down later; the codes of sweep_ready.
-- 1 run_at 2 task of the last row seen 3 limit
SELECT w.queue,w.priority,w.run_at,w.task,CASE WHEN q.seq IS NULL THEN 1
  WHEN q.status<>0 OR q.queue<>w.queue OR q.priority<>w.priority OR q.run_at<>w.run_at OR q.definition_id<>w.definition_id THEN 2
  WHEN p.task IS NULL THEN 3 WHEN d.id IS NULL THEN 4 ELSE 0 END
 FROM task_later w LEFT JOIN task_queue q ON q.seq=w.task LEFT JOIN task_payload p ON p.task=w.task
 LEFT JOIN task_definition d ON d.id=w.definition_id
 WHERE (w.run_at,w.task)>($1::bigint,$2::bigint) ORDER BY w.run_at,w.task LIMIT $3::bigint;
