-- Who holds which task at which turn, for a list of running tasks: all leases at once, of which there are tens.
SELECT j.task,j.turn,l.owner,l.claimed_at,l.beat_at FROM task_lease l STRAIGHT_JOIN task_lease_tasks x ON x.lease=l.lease
 STRAIGHT_JOIN JSON_TABLE(x.tasks,'$[*]' COLUMNS(task BIGINT PATH '$[0]',turn INT PATH '$[1]')) j;
