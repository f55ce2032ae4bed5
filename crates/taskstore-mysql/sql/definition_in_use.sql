-- Whether a live task needs it, under the lock that an enqueue shares. A look at every place, as long as there are live tasks: rare.
-- 1 to 4 definition, by seq
SELECT EXISTS(SELECT 1 FROM task_ready r WHERE r.definition_id=?)
 OR EXISTS(SELECT 1 FROM task_later w WHERE w.definition_id=?)
 OR EXISTS(SELECT 1 FROM task_aside a FORCE INDEX(PRIMARY) STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=a.task WHERE a.status=5 AND t.definition_id=?)
 OR EXISTS(SELECT 1 FROM task_lease_tasks x STRAIGHT_JOIN JSON_TABLE(x.tasks,'$[*]' COLUMNS(task BIGINT PATH '$[0]',turn INT PATH '$[1]')) e
  STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=e.task AND t.turn=e.turn AND t.status=0 WHERE t.definition_id=?);
