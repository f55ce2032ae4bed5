-- The lease of a task that is ended in a transaction of its handler's, with its list. Both are locked: a snapshot that the
-- transaction has taken may be older than them.
-- 1 lease
SELECT l.owner,l.length,l.claimed_at,l.open,l.alone,l.taken_from,l.beat,x.tasks FROM task_lease l FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_lease_tasks x FORCE INDEX(PRIMARY) ON x.lease=l.lease WHERE l.lease=? FOR UPDATE;
