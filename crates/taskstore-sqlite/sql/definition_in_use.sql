-- Whether a live task needs it; no row: it is not there. A look at every place, as long as there are live tasks: rare.
-- 1 id
SELECT EXISTS(SELECT 1 FROM task_ready r WHERE r.definition_id=d.seq)
 OR EXISTS(SELECT 1 FROM task_later w WHERE w.definition_id=d.seq)
 OR EXISTS(SELECT 1 FROM task_aside a CROSS JOIN task_queue t ON t.seq=a.task WHERE a.status=5 AND t.definition_id=d.seq)
 OR EXISTS(SELECT 1 FROM task_lease_tasks x CROSS JOIN json_each(x.tasks) j CROSS JOIN task_queue t ON t.seq=CAST(j.key AS INTEGER)
  WHERE t.status=0 AND t.turn=j.value AND t.definition_id=d.seq)
 FROM task_definition d WHERE d.id=?1 AND d.status<2;
