-- The lists of leases, as they were when each was made.
-- 1 leases as a JSON array of hexadecimal texts
SELECT x.lease,x.tasks FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease_tasks x FORCE INDEX(PRIMARY) ON x.lease=UNHEX(j.lease);
