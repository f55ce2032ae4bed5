-- The sweep's look down ready: what is wrong with each row, 0 where nothing is. 1 no record, 2 the task is not active or waits
-- elsewhere, 3 its parameters are gone, 4 its definition is.
-- 1 queue 2 priority 3 run_at 4 task of the last row seen 5 limit
SELECT r.queue,r.priority,r.run_at,r.task,CASE WHEN q.seq IS NULL THEN 1
  WHEN q.status<>0 OR q.queue<>r.queue OR q.priority<>r.priority OR q.run_at<>r.run_at OR q.definition_id<>r.definition_id THEN 2
  WHEN p.task IS NULL THEN 3 WHEN d.id IS NULL THEN 4 ELSE 0 END
 FROM task_ready r LEFT JOIN task_queue q ON q.seq=r.task LEFT JOIN task_payload p ON p.task=r.task
 LEFT JOIN task_definition d ON d.id=r.definition_id
 WHERE (r.queue,r.priority,r.run_at,r.task)>($1::text,$2::smallint,$3::bigint,$4::bigint) ORDER BY r.queue,r.priority,r.run_at,r.task LIMIT $5::bigint;
