-- A task as it stands, with its places looked up by key. The holder is sought in the leases' lists only when it is running.
-- 1 id
SELECT t.status,t.waits,t.queue,d.id,d.alias,
 (SELECT p.parameters FROM task_payload p WHERE p.task=t.seq),
 (SELECT x.output FROM task_result x WHERE x.attempt=(t.seq<<24|(t.turn-1))),
 (SELECT x.error FROM task_result x WHERE x.attempt BETWEEN t.seq<<24 AND (t.seq<<24)+16777215 AND x.error IS NOT NULL ORDER BY x.attempt DESC LIMIT 1),
 t.progress_done,t.progress_total,t.priority,t.attempts,t.max_attempts,t.suspect,t.run_at,t.created_at,t.updated_at,
 t.started_at,t.completed_at,t.deleted_at,t.cancel_at,t.seq,t.turn,t.id,
 (SELECT p.expires_at FROM task_payload p WHERE p.task=t.seq),(SELECT p.timeout FROM task_payload p WHERE p.task=t.seq)
 FROM (SELECT q.*,EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq)
  OR EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq) AS waits
  FROM task_queue q WHERE q.id=?1) t
 LEFT JOIN task_definition d ON d.seq=t.definition_id;
