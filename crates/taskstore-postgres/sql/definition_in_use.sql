-- Whether a live task needs it; no row: it is not there. A look at every place, as long as there are live tasks: rare.
-- 1 id
SELECT EXISTS(SELECT FROM task_ready r WHERE r.definition_id=d.id)
 OR EXISTS(SELECT FROM task_later w WHERE w.definition_id=d.id)
 OR EXISTS(SELECT FROM task_aside a JOIN task_queue t ON t.seq=a.task WHERE a.status=5 AND t.definition_id=d.id)
 OR EXISTS(SELECT FROM task_lease_tasks b CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn) JOIN task_queue t ON t.seq=x.task
  WHERE t.status=0 AND t.turn=x.turn AND t.definition_id=d.id)
 FROM task_definition d WHERE d.id=$1 AND d.status<2 FOR UPDATE OF d;
