-- Go with their leases.
-- 1 leases as a JSON array of hexadecimal texts
DELETE x FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease_tasks x FORCE INDEX(PRIMARY) ON x.lease=UNHEX(j.lease);
