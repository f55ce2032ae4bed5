-- Whether a live task needs it. A look at every place, as long as there are live tasks: rare.
-- 1 id
SELECT EXISTS(SELECT 1 FROM task_ready r WHERE r.definition_id=$1)
 OR EXISTS(SELECT 1 FROM task_later w WHERE w.definition_id=$1)
 OR EXISTS(SELECT 1 FROM task_aside a JOIN task_queue t ON t.seq=a.task WHERE a.status=5 AND t.definition_id=$1)
 OR EXISTS(SELECT 1 FROM task_lease_tasks b CROSS JOIN LATERAL unnest(b.tasks,b.turns) AS e(task,turn)
  JOIN task_queue t ON t.seq=e.task AND t.turn=e.turn AND t.status=0 WHERE t.definition_id=$1);
