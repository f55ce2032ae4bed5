-- Nothing is open under them any more, or somebody took them over.
-- 1 leases as a JSON array of hexadecimal texts
DELETE l FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease);
