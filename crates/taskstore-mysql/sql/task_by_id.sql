-- A task as it stands, with its places looked up by key, and in the same statement who holds it: under READ COMMITTED another
-- statement would be another moment. Its pair is sought in the text of the leases' lists, tens of them, without parsing any.
-- 1 id
SELECT t.status,r.task IS NOT NULL OR w.task IS NOT NULL,t.queue,d.id,d.alias,p.parameters,o.output,
 (SELECT x.error FROM task_result x FORCE INDEX(PRIMARY) WHERE x.task=t.seq AND x.error IS NOT NULL ORDER BY x.turn DESC LIMIT 1),
 t.progress_done,t.progress_total,t.priority,t.attempts,t.max_attempts,t.suspect,t.run_at,t.created_at,t.updated_at,
 t.started_at,t.completed_at,t.deleted_at,t.cancel_at,t.seq,t.turn,t.id,p.expires_at,p.timeout,
 CASE WHEN t.status=0 AND r.task IS NULL AND w.task IS NULL THEN
  (SELECT CONCAT_WS(' ',l.owner,l.claimed_at,l.beat_at) FROM task_lease l STRAIGHT_JOIN task_lease_tasks x ON x.lease=l.lease
   WHERE LOCATE(CONCAT('[',t.seq,',',t.turn,']'),x.tasks)>0 LIMIT 1) END
 FROM task_queue t FORCE INDEX(task_queue_id)
 LEFT JOIN task_later w FORCE INDEX(PRIMARY) ON t.status=0 AND w.run_at=t.run_at AND w.task=t.seq
 LEFT JOIN task_ready r FORCE INDEX(PRIMARY) ON t.status=0 AND r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq
 LEFT JOIN task_definition d FORCE INDEX(PRIMARY) ON d.seq=t.definition_id
 LEFT JOIN task_payload p FORCE INDEX(PRIMARY) ON p.task=t.seq
 LEFT JOIN task_result o FORCE INDEX(PRIMARY) ON o.task=t.seq AND o.turn=t.turn-1
 WHERE t.id=?;
