-- Whether a live task needs it; no row: it is not there. A look at every place, as long as there are live tasks: rare.
-- 1 id
SELECT EXISTS(SELECT FROM task_ready r WHERE r.definition_id=d.id)
 OR EXISTS(SELECT FROM task_later w WHERE w.definition_id=d.id)
 OR EXISTS(SELECT FROM task_aside a CROSS JOIN LATERAL (SELECT t.definition_id FROM task_queue t WHERE t.seq=a.task OFFSET 0) t
  WHERE a.status=5 AND t.definition_id=d.id)
 OR EXISTS(SELECT FROM task_lease_tasks b CROSS JOIN LATERAL unnest(b.tasks,b.turns) x(task,turn)
  CROSS JOIN LATERAL (SELECT t.definition_id FROM task_queue t WHERE t.seq=x.task AND t.turn=x.turn AND t.status=0 OFFSET 0) t
  WHERE t.definition_id=d.id)
 FROM task_definition d WHERE d.id=$1 AND d.status<2 FOR UPDATE OF d;
