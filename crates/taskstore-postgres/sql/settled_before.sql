-- Only for positions that settle refused: this very lease has settled this very turn, so it was sent again; the status that the
-- task has. A statement of its own: the first send may have committed while the second waited for the lease.
-- 1 tasks 2 leases 3 turns
SELECT u.n::int,t.status,EXISTS(SELECT FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq)
  OR EXISTS(SELECT FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq)
 FROM unnest($1::uuid[],$2::uuid[],$3::int[]) WITH ORDINALITY u(task,lease,turn,n)
 JOIN task_queue t ON t.id=u.task AND t.turn=u.turn+1 AND t.last_lease=u.lease;
