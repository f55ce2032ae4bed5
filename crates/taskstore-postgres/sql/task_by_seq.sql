-- The tasks of a page, by their keys; the columns of task_by_id. Who holds them is read for the whole page at once. OFFSET 0 keeps
-- the planner from joining in any other way than task by task.
-- 1 tasks
SELECT t.status,t.waits,t.queue,t.definition_id,d.alias,p.parameters,
 (SELECT x.output FROM task_result x WHERE x.task=t.seq AND x.turn=t.turn-1),
 (SELECT x.error FROM task_result x WHERE x.task=t.seq AND x.error IS NOT NULL ORDER BY x.turn DESC LIMIT 1),
 t.progress_done,t.progress_total,t.priority,t.attempts,t.max_attempts,t.suspect,t.run_at,t.created_at,t.updated_at,
 t.started_at,t.completed_at,t.deleted_at,t.cancel_at,t.seq,t.turn,t.id,p.expires_at,p.timeout,
 NULL::uuid AS owner,NULL::bigint AS claimed_at,NULL::bigint AS beat_at
 FROM unnest($1::bigint[]) WITH ORDINALITY AS u(task,n)
 CROSS JOIN LATERAL (SELECT q.*,(SELECT true FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq) IS TRUE
  OR (SELECT true FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq) IS TRUE AS waits
  FROM task_queue q WHERE q.seq=u.task OFFSET 0) t
 LEFT JOIN LATERAL (SELECT * FROM task_payload y WHERE y.task=t.seq OFFSET 0) p ON true
 LEFT JOIN task_definition d ON d.id=t.definition_id
 ORDER BY u.n;
