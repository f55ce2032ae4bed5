-- A task as it stands, with its places looked up by key, and who holds it, which is sought in the leases' lists only when it is
-- running. One statement, so that all of it is of one moment. EXISTS would let the planner read a whole place.
-- 1 id
SELECT t.status,t.waits,t.queue,t.definition_id,d.alias,p.parameters,
 (SELECT x.output FROM task_result x WHERE x.task=t.seq AND x.turn=t.turn-1),
 (SELECT x.error FROM task_result x WHERE x.task=t.seq AND x.error IS NOT NULL ORDER BY x.turn DESC LIMIT 1),
 t.progress_done,t.progress_total,t.priority,t.attempts,t.max_attempts,t.suspect,t.run_at,t.created_at,t.updated_at,
 t.started_at,t.completed_at,t.deleted_at,t.cancel_at,t.seq,t.turn,t.id,p.expires_at,p.timeout,h.owner,h.claimed_at,h.beat_at
 FROM (SELECT q.*,(SELECT true FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq) IS TRUE
  OR (SELECT true FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq) IS TRUE AS waits
  FROM task_queue q WHERE q.id=$1 OFFSET 0) t
 LEFT JOIN task_payload p ON p.task=t.seq LEFT JOIN task_definition d ON d.id=t.definition_id
 LEFT JOIN LATERAL (SELECT l.owner,l.claimed_at,l.beat_at FROM task_lease_tasks b JOIN task_lease l ON l.lease=b.lease
  CROSS JOIN LATERAL unnest(b.tasks,b.turns) AS e(task,turn)
  WHERE t.status=0 AND NOT t.waits AND t.seq=ANY(b.tasks) AND e.task=t.seq AND e.turn=t.turn LIMIT 1) h ON true;
