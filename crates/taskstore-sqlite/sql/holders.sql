-- Who holds which task at which turn, for a list of running tasks: all leases at once, of which there are tens.
SELECT CAST(e.key AS INTEGER),e.value,l.owner,l.claimed_at,l.beat_at
 FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease CROSS JOIN json_each(x.tasks) e;
